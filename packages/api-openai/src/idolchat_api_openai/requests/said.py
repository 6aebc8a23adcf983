"""What was said, as a client sends it: a history without instructions, and the instruction that may stand after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from idolchat_api_openai.requests.errors import BadRequest
from idolchat_api_openai.requests.text import key_of, normal_form, trimmed_key_of

__all__ = ["History", "Said"]

_INSTRUCTIONS = frozenset({"system", "developer"})
_SPEAKERS = frozenset({"user", "assistant", "tool"})
_PLACEHOLDERS = frozenset({"[start a new chat]", "[start a new group chat]", "let's get started."})
"""What SillyTavern lets the user say first, for models that want a user to begin."""


class Said:
    """One message. ``key`` tells it from others at once, ``text`` after its whims are ironed out."""

    __slots__ = ("_text", "fields", "key", "position", "role")

    def __init__(self, fields: Mapping[str, Any], role: str, position: int) -> None:
        self.fields = fields
        self.role = role
        self.position = position
        content = fields.get("content")
        if type(content) is str and "tool_calls" not in fields and role != "tool":  # as nearly all are
            self.key = hash((role, content))
        else:
            self.key = key_of(role, content, fields.get("tool_calls"), fields.get("tool_call_id"))
        self._text: str | None = None

    @property
    def trimmed_key(self) -> int | None:
        """A number that texts share that are the same but for blanks at their ends."""
        return trimmed_key_of(self.role, self.fields.get("content"), self.fields.get("tool_calls"))

    @property
    def text(self) -> str:
        """What it says, in the form in which texts are compared."""
        if self._text is None:
            fields = self.fields
            self._text = normal_form(
                self.role, fields.get("content"), fields.get("tool_calls"), fields.get("tool_call_id")
            )
        return self._text


@dataclass(frozen=True, slots=True)
class History:
    """What was ``said``, oldest first, and the ``instructions``; ``closing`` are those of them that stand last."""

    said: Sequence[Said]
    instructions: Sequence[Said]
    closing: Sequence[Said]

    @classmethod
    def of(cls, messages: Sequence[Any]) -> Self:
        """Sort the messages of a request. Raises ``BadRequest`` for what is no message, or of an unknown role."""
        said: list[Said] = []
        instructions: list[Said] = []
        closing: list[Said] = []
        for position, message in enumerate(messages):
            role = message.get("role") if type(message) is dict else None
            if role in _SPEAKERS:
                if _is_said(message, role, is_first=not said):
                    said.append(Said(message, role, position))
                    closing = []
            elif role in _INSTRUCTIONS:
                if message.get("content"):
                    instructions.append(Said(message, role, position))
                    closing.append(instructions[-1])
            else:
                raise _no_message(message, position)
        return cls(said, instructions, closing)


def _is_said(message: Mapping[str, Any], role: str, *, is_first: bool) -> bool:
    """Return whether somebody said a message; clients add empty ones, examples, and openings for strict models."""
    content = message.get("content")
    if not content:
        return role == "tool" or bool(message.get("tool_calls"))
    if is_first and role == "user" and type(content) is str and content.strip().lower() in _PLACEHOLDERS:
        return False
    name = message.get("name")
    return not (type(name) is str and name.startswith("example_"))


def _no_message(message: object, position: int) -> BadRequest:
    place = f"messages.{position}"
    if not isinstance(message, dict):
        return BadRequest(f"{place}: must be an object with role and content", param=place)
    roles = ", ".join(sorted(_SPEAKERS | _INSTRUCTIONS))
    return BadRequest(f"{place}.role: must be one of {roles}", param=f"{place}.role")
