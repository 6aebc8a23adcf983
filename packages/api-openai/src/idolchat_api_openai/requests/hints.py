"""Headers of front ends, most of them sent because the operator has pasted templates there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from idolchat_api_openai.requests.errors import BadRequest

__all__ = ["Hints"]

MAX_CHARACTERS = 512
_ABSENT = frozenset({"", "new", "null", "undefined", "none"})
"""What templates become where the client has no value yet."""
_NO_PARENT = frozenset({"", "00000000-0000-0000-0000-000000000000"})
_QUIET = frozenset({"quiet", "impersonate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """Headers of one request; None: not sent.

    ``conversation`` is the client's id of the conversation, ``message`` that of the reply it wants, empty in tasks of
    Open WebUI. ``generation`` is SillyTavern's word: normal, swipe, regenerate, continue, impersonate, quiet.
    ``names`` are what the client puts before what is said: persona and character.
    ``is_sdk`` says that a program calls, which has no button for another reply.
    """

    conversation: str | None = None
    message: str | None = None
    parent: str | None = None
    task: str | None = None
    generation: str | None = None
    stores: bool = True
    names: frozenset[str] = frozenset()
    is_retry: bool = False
    is_sdk: bool = False

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]]) -> Self:
        """Read the headers of a request, without templates that nobody filled in. Raises ``BadRequest``."""
        given = {name: value for name, value in headers if name.startswith(b"x-") and not value.startswith(b"{{")}

        def read(*names: bytes) -> str | None:
            return next((_text(name, given[name]) for name in names if name in given), None)

        conversation = read(b"x-idolchat-conversation", b"x-openwebui-chat-id")
        names = (read(b"x-idolchat-user-name", b"x-idolchat-persona"), read(b"x-idolchat-character"))
        return cls(
            conversation=None if conversation is None or conversation.lower() in _ABSENT else conversation,
            message=read(b"x-idolchat-message"),
            parent=read(b"x-idolchat-parent"),
            task=read(b"x-idolchat-task") or None,
            generation=(read(b"x-idolchat-generation") or "").lower() or None,
            stores=(read(b"x-idolchat-store") or "").lower() not in ("none", "false", "0"),
            names=frozenset(name for name in names if name),
            is_sdk=b"x-stainless-lang" in given,
            is_retry=given.get(b"x-stainless-retry-count", b"0") != b"0",
        )

    @property
    def is_task(self) -> bool:
        """Whether the front end asks for itself: a title, tags, follow-ups."""
        return self.task is not None or self.message == ""

    @property
    def is_quiet(self) -> bool:
        """Whether what is asked is no part of the conversation."""
        return self.generation in _QUIET

    @property
    def has_no_parent(self) -> bool:
        """Whether the client says that its newest message begins the conversation."""
        return self.parent is not None and self.parent.lower() in _NO_PARENT

    @property
    def resends(self) -> bool:
        """Whether the client is known to send the whole history."""
        return self.parent is not None or self.message is not None or self.generation is not None


def _text(name: bytes, value: bytes) -> str:
    text = value.decode("utf-8", "replace").strip()
    if len(text) > MAX_CHARACTERS:
        header = name.decode()
        raise BadRequest(f"the header {header} has at most {MAX_CHARACTERS} characters", param=header)
    return text
