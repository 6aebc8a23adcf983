"""The contract of change observers: plugins that follow what is stored, edited and deleted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self
from uuid import UUID

__all__ = [
    "GONE",
    "Change",
    "ChangeKind",
    "ChangeObserver",
    "StoredChange",
    "StoredChanges",
    "changing",
    "current_kind",
]


class ChangeKind(StrEnum):
    """What happened to a conversation.

    ``CHANGED`` stands for what nobody noted: another field was set, or the change was found after a crash by comparing
    revisions. ``MESSAGE_DELETED``: the text of one message is gone. ``DELETED``: all of it is. ``USER_ERASED``: it was
    deleted with everything else of its user.
    """

    STORED = "stored"
    EDITED = "edited"
    REGENERATED = "regenerated"
    ROLLED_BACK = "rolled_back"
    HEAD_MOVED = "head_moved"
    MESSAGE_DELETED = "message_deleted"
    CHANGED = "changed"
    IMPORTED = "imported"
    REPAIRED = "repaired"
    RESTORED = "restored"
    DELETED = "deleted"
    USER_ERASED = "user_erased"

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the kind that a note names; ``CHANGED`` for one that a newer version has written."""
        return cls(text) if text in cls else cls(cls.CHANGED)


GONE = frozenset({ChangeKind.DELETED, ChangeKind.USER_ERASED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One conversation that is no longer as the observer has noted it.

    ``revision`` names its state now; None: it is gone. ``kinds`` is what happened since the noted revision, each kind
    once, oldest first as far as that is known: one that was deleted and imported again has both.
    """

    conversation_id: UUID
    revision: str | None
    kinds: tuple[ChangeKind, ...]


class StoredChange(NamedTuple):
    """A conversation that some process has changed: its revision now, or None where it is gone.

    ``rewritten`` is the revision since which messages were only added. Revisions are numbers in text, and grow.
    ``gone`` is the ``created_at`` of a history that was deleted or rewritten; there may be another in its place.
    """

    conversation_id: UUID
    revision: str | None
    rewritten: str = ""
    gone: datetime | None = None

    def kinds_since(self, noted: str | None) -> tuple[ChangeKind, ...]:
        """Return what happened since a revision, as far as that is known."""
        if self.revision is None:
            return (ChangeKind.DELETED,)
        if noted and noted.isdigit() and self.rewritten.isdigit() and int(noted) < int(self.rewritten):
            return (ChangeKind.CHANGED, ChangeKind.MESSAGE_DELETED)  # either may be
        return (ChangeKind.STORED,)


class StoredChanges(NamedTuple):
    """Some changes, and where those that follow begin."""

    changes: Sequence[StoredChange]
    next: str


class ChangeObserver(ABC):
    """Follows all changes of conversations, whichever process makes them.

    A factory registered in ``idolchat_register_change_observers`` takes the open ``Services`` and returns an async
    context manager that gives one of these. The server tells it of changes outside of the turns' own time: of those
    made while no server ran at the next start, and of everything stored before it was installed. It is told of several
    conversations at once, and of one conversation one change after the other. A change that it raises on is told
    again, after a pause. Where several servers share a storage, each tells its own observer of the changes of all.
    """

    is_shared: bool = False
    """Whether what it derives is shared by all servers of the storage: then one of them alone tells its observer."""

    @abstractmethod
    async def noted(self, conversation_id: UUID) -> str | None:
        """Return the revision of the last change that was noted of a conversation; None where it is gone, or unknown.

        It is asked after a start, and a change of that revision is not told again.
        """

    @abstractmethod
    async def note(self, change: Change) -> None:
        """Record a change: when this returns, ``change.revision`` is kept durably for ``noted``.

        Keep it in one transaction with what is derived from the conversation, and nothing is missed or counted twice,
        whatever crashes. The storage may hold newer messages by then; another change tells of those.
        """

    async def known(self) -> Collection[UUID]:
        """Return the conversations for which a revision is kept; those that are gone are then told as deleted.

        It is asked once after a start, for an observer that was not installed when they were deleted. Without it,
        nothing is compared so.
        """
        return ()


_KIND: ContextVar[ChangeKind | None] = ContextVar("kind_of_change", default=None)


class changing:  # noqa: N801  used as a function is
    """Describe what the writes inside mean, where a storage cannot tell that from the call."""

    __slots__ = ("_kind", "_token")

    def __init__(self, kind: ChangeKind) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        self._token = _KIND.set(self._kind)

    def __exit__(self, *_: object) -> None:
        _KIND.reset(self._token)


def current_kind(default: ChangeKind) -> ChangeKind:
    """Return what ``changing`` says that a write means, else ``default``."""
    return _KIND.get() or default
