"""The parts of a prompt beside the history, as sources give them and the builder orders them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, NamedTuple

__all__ = ["PromptPart", "Role", "Slot", "Stability"]

type Role = Literal["system", "developer", "user", "assistant"]

type Stability = Literal["conversation", "cut", "turn"]
"""How long a part stays as it is: as long as its conversation; until the history's beginning moves; or one turn."""


class Slot(StrEnum):
    """Where a part stands, in the order of the prompt.

    ``history`` stands inside the history, ``depth`` messages before its end; ``tail`` before the newest message of the
    user, ``post_history`` after the history. What stands before the history and varies from turn to turn spoils the
    provider's prompt cache for all that follows, so it is moved to the tail.
    """

    SYSTEM = "system"
    CHARACTER = "character"
    PERSONA = "persona"
    EXAMPLES = "examples"
    SUMMARY = "summary"
    HISTORY = "history"
    TAIL = "tail"
    POST_HISTORY = "post_history"

    @property
    def is_before_history(self) -> bool:
        """Whether it belongs to what every prompt begins with."""
        return self not in (Slot.HISTORY, Slot.TAIL, Slot.POST_HISTORY)


class PromptPart(NamedTuple):
    """A text for the prompt.

    ``source`` and ``key`` name it; ``key`` is unique in its source (``book/7``, a message id). ``content`` is text or a
    list of OpenAI content parts. Parts of a slot stand by ``order``, then as they were given. Where there is no room,
    the lowest ``priority`` is left out first, and None never. ``name`` is that of an OpenAI message. ``why`` says what
    brought it here (the key that matched, a score, message ids), for whoever asks for an explanation.
    """

    source: str
    key: str
    content: str | Sequence[Mapping[str, Any]]
    slot: Slot
    role: Role = "system"
    stability: Stability = "conversation"
    priority: int | None = None
    order: int = 0
    depth: int = 0
    name: str | None = None
    why: Mapping[str, Any] = {}

    @property
    def sent(self) -> dict[str, Any]:
        """The part as a message in OpenAI form."""
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        return message | {"name": self.name} if self.name else message
