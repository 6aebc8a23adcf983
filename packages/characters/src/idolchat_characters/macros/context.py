"""What macros may tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

__all__ = ["MacroContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroContext:
    """The values of macros, and where the text is going to stand.

    ``description``, ``personality``, ``scenario``, ``persona``, ``examples``, ``system_prompt`` and
    ``post_history_instructions`` are written by authors: they are templates themselves. All else is inserted as it is.

    In the ``prefix`` of a prompt, which has to stay the same for a whole conversation, chance comes out once per
    conversation and times are those of ``started_at``; in the ``tail`` they are those of the turn ``turn_id`` and of
    ``now``. Both are aware, in the time zone of the user. ``original`` is what an override stands in for (``None``:
    the text is no override). ``knows_v3`` lets ``{{hidden_key}}``, of Character Card V3, be removed.
    """

    char: str
    user: str
    conversation_id: str
    started_at: datetime
    now: datetime
    turn_id: str = ""
    place: Literal["prefix", "tail"] = "prefix"
    knows_v3: bool = False
    original: str | None = None
    description: str = ""
    personality: str = ""
    scenario: str = ""
    persona: str = ""
    examples: str = ""
    system_prompt: str = ""
    post_history_instructions: str = ""
    character_version: str = ""
    group: tuple[str, ...] = ()
    last_message: str = ""
    last_user_message: str = ""
    last_character_message: str = ""
    last_message_number: int | None = None
    user_was_last_here_at: datetime | None = None
    model: str = ""
    max_prompt_tokens: int | None = None
    outlets: Mapping[str, str] = field(default_factory=dict)

    @property
    def time(self) -> datetime:
        """The time that macros tell."""
        return self.started_at if self.place == "prefix" else self.now
