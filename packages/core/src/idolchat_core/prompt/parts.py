"""The parts of a prompt beside the history, as sources give them and the builder orders them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

from idolchat_core.events.json_values import plain_json
from idolchat_core.llm.token_estimator import message_size
from idolchat_core.models import StoredId

__all__ = ["MeasuredPart", "PromptPart", "Role", "Slot", "Stability", "checked_part", "measured"]

type Role = Literal["system", "developer", "user", "assistant"]

type Stability = Literal["conversation", "cut", "turn"]
"""How long a part stays as it is: as long as its conversation; until the history's beginning moves; or one turn."""

_ROLES, _STABILITIES = frozenset(get_args(Role.__value__)), frozenset(get_args(Stability.__value__))


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

    A summary ``stands_for`` the messages up to one, which its source knows to be on the branch: it is in the prompt
    only where the history begins after that message, and only the one that reaches furthest. The history's next cut is
    made there, if that leaves room for some turns.
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
    stands_for: StoredId | None = None

    @property
    def sent(self) -> dict[str, Any]:
        """The part as a message in OpenAI form."""
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        return message | {"name": self.name} if self.name else message


_COMMON_TYPES = frozenset(
    (str, str, str, Slot, str, str, priority, int, int, type(None), dict, type(None)) for priority in (int, type(None))
)
"""What the values of nearly all parts are: these are right, and are looked at together."""


class MeasuredPart(NamedTuple):
    """A part with the message that it is sent as, the size of that, and the object that its source gave.

    One that ``is_lasting`` is the same in the next turn, if its source gives the same object again.
    """

    part: PromptPart
    sent: dict[str, Any]
    size: float
    given: object
    is_lasting: bool


def measured(part: PromptPart, *, given: object = None) -> MeasuredPart:
    """Measure a part."""
    sent = part.sent
    is_lasting = part.stability == "conversation" and isinstance(part.content, str) and not part.why
    return MeasuredPart(part, sent, message_size(sent), given, is_lasting)


def checked_part(part: object) -> PromptPart:
    """Return a part that a plugin made. Raises ``TypeError`` for one of wrong types."""
    if not isinstance(part, PromptPart):
        raise TypeError(f"a part is a PromptPart, not {type(part).__name__}")
    if tuple(map(type, part)) in _COMMON_TYPES and part.role in _ROLES and part.stability in _STABILITIES:
        return part
    checks = {
        "key": isinstance(part.key, str),
        "content": isinstance(part.content, str) or _are_content_parts(part.content),
        "slot": isinstance(part.slot, Slot),
        "role": part.role in _ROLES,
        "stability": part.stability in _STABILITIES,
        "priority": part.priority is None or isinstance(part.priority, int),
        "order": isinstance(part.order, int),
        "depth": isinstance(part.depth, int),
        "name": part.name is None or isinstance(part.name, str),
        "why": isinstance(part.why, Mapping),
        "stands_for": part.stands_for is None or isinstance(part.stands_for, UUID | str),
    }
    wrong = [name for name, is_right in checks.items() if not is_right]
    if wrong:
        raise TypeError(f"the part {part.key!r} has values of wrong types: {', '.join(wrong)}")
    return part


def _are_content_parts(content: object) -> bool:
    is_list = isinstance(content, Sequence) and all(isinstance(item, dict) for item in content)
    return is_list and plain_json(content) == content
