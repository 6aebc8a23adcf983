"""The entries of lorebooks, as both dialects are read into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Literal

__all__ = ["CharacterFilter", "Dialect", "Entry", "Position", "Role", "ScanField", "SecondaryLogic"]

Role = Literal["system", "user", "assistant"]


class Dialect(StrEnum):
    """Whose rules a book follows."""

    SILLYTAVERN = "sillytavern"
    V3 = "v3"


class SecondaryLogic(IntEnum):
    """How the secondary keys decide, once a primary key has matched."""

    AND_ANY = 0
    NOT_ALL = 1
    NOT_ANY = 2
    AND_ALL = 3


class Position(StrEnum):
    """Where the content of an entry goes in the prompt."""

    BEFORE_CHARACTER = "before_char"
    AFTER_CHARACTER = "after_char"
    NOTE_TOP = "note_top"
    NOTE_BOTTOM = "note_bottom"
    AT_DEPTH = "at_depth"
    BEFORE_EXAMPLES = "before_examples"
    AFTER_EXAMPLES = "after_examples"
    OUTLET = "outlet"
    FROM_START = "from_start"
    BEFORE_DESCRIPTION = "before_desc"
    AFTER_DESCRIPTION = "after_desc"
    PERSONALITY = "personality"
    SCENARIO = "scenario"


class ScanField(StrEnum):
    """A text other than the messages, in which an entry may look for its keys."""

    PERSONA = "persona"
    DESCRIPTION = "description"
    PERSONALITY = "personality"
    DEPTH_PROMPT = "depth_prompt"
    SCENARIO = "scenario"
    CREATOR_NOTES = "creator_notes"


@dataclass(frozen=True, slots=True, kw_only=True)
class CharacterFilter:
    """The characters that an entry is for, or (``exclude``) is not for; an empty list of either kind allows all."""

    names: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    exclude: bool = False

    def allows(self, name: str, tags: frozenset[str]) -> bool:
        """Whether an entry with this filter applies to a character."""
        by_name = not self.names or (name in self.names) is not self.exclude
        return by_name and (not self.tags or bool(tags & self.tags) is not self.exclude)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a lorebook.

    ``depth`` and ``scan_depth`` are numbers of messages; ``sticky``, ``cooldown`` and ``delay`` too, and 0 means that
    there is none. ``None`` leaves a choice to the settings. ``content`` is without decorators; ``raw`` is the entry
    as it was read, unknown fields and all; ``digest`` changes with anything in it.
    """

    book: str
    uid: str
    raw: Mapping[str, Any]
    digest: str
    dialect: Dialect
    name: str = ""
    content: str = ""
    enabled: bool = True
    keys: tuple[str, ...] = ()
    secondary_keys: tuple[str, ...] = ()
    selective: bool = True
    logic: SecondaryLogic = SecondaryLogic.AND_ANY
    constant: bool = False
    forced: bool | None = None
    case_sensitive: bool | None = None
    whole_words: bool | None = None
    use_regex: bool = False
    scan_depth: int | None = None
    scan_fields: tuple[ScanField, ...] = ()
    triggers: frozenset[str] = frozenset()
    characters: CharacterFilter = field(default_factory=CharacterFilter)
    order: float = 100
    position: Position | None = Position.BEFORE_CHARACTER
    depth: int = 4
    role: Role = "system"
    outlet: str = ""
    probability: float | None = None
    group: str = ""
    group_override: bool = False
    group_weight: float = 100
    score_group: bool | None = None
    sticky: int = 0
    cooldown: int = 0
    delay: int = 0
    delay_level: int = 0
    exclude_recursion: bool = False
    prevent_recursion: bool = False
    ignore_budget: bool = False
    priority: float | None = None
    leaves_first: bool = False
    only_after: int = 0
    only_every: int = 1
    greeting: int | None = None
    keep_after_match: bool = False
    mute_after_match: bool = False
    additional_keys: tuple[str, ...] = ()
    exclude_keys: tuple[str, ...] = ()
    disabled_prompts: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """Name the entry among those of all books: ``book.uid``."""
        return f"{self.book}.{self.uid}"
