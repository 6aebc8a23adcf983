"""The index of memory: what was said, by scope and by term, and the contract of whatever keeps it.

The index is derived: it is built from the conversations, and can be built from them again at any time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = [
    "FOLLOWS_QUESTION",
    "IS_OF_CHARACTER",
    "IS_QUESTION",
    "PLACES_PER_SESSION",
    "SESSION_GAP_S",
    "TRAIT_BITS",
    "WEIGHT_BITS",
    "KnownConversation",
    "MemoryIndex",
    "MemoryMessage",
    "MemoryRow",
    "MemoryScope",
    "MemoryStats",
    "MessageTraits",
    "Posting",
    "ScopeReader",
    "ScopeStatistics",
    "Speaker",
    "TextAnalysis",
    "Unencoded",
    "posting_of",
    "traits_of",
]

SESSION_GAP_S = 6 * 3600
"""A message that comes later than this after the one before it begins a session."""

Speaker = Literal["user", "assistant"]
"""Who said a message; what nobody said, as tool results and system messages, is never indexed."""

_Id = Annotated[str | None, BeforeValidator(lambda value: None if value is None else str(value))]


class MemoryScope(BaseModel):
    """Whose memory it is: a user or none, with a character or none. Nothing is ever found from another scope.

    An id is the same whether it is given as a UUID or as its text.
    """

    model_config = ConfigDict(frozen=True)

    user_id: _Id = None
    character_id: _Id = None


@dataclass(frozen=True, slots=True)
class TextAnalysis:
    """How a text becomes the terms that it is found by, in order and as often as they occur.

    Whoever changes what ``terms_of`` gives changes ``name``, too, and an index of another name is built anew.
    """

    name: str
    terms_of: Callable[[str], Sequence[str]]


class MemoryMessage(NamedTuple):
    """A message to be indexed; ``position`` counts from 0 in its conversation, over all branches.

    ``speaker`` is a name, as it was when the message was said, or empty.
    """

    message_id: str
    position: int
    role: Speaker
    speaker: str
    said_at: datetime
    text: str


class MemoryRow(NamedTuple):
    """A message as it is found again.

    ``place`` orders the messages of a scope: neighbours of one session have neighbouring places, see
    ``PLACES_PER_SESSION``. It is good within one call of ``MemoryIndex.read``. ``revision`` is the one that was given
    with the messages of its conversation.
    """

    place: int
    session: int
    conversation_id: UUID
    revision: str
    message: MemoryMessage


MessageTraits = int
"""As much of a message as ranking needs, see ``traits_of``."""
IS_OF_CHARACTER, IS_QUESTION, FOLLOWS_QUESTION = 1, 2, 4
TRAIT_BITS = 3
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def traits_of(message: MemoryMessage, *, follows_question: bool) -> MessageTraits:
    """Make the traits of a message: its time in microseconds since 1970, and in the ``TRAIT_BITS`` below it whether the
    character said it, whether it ends in a question mark, and whether the one before it in its session does."""
    asks = message.text.rstrip().endswith(("?", "\uff1f"))
    told = IS_OF_CHARACTER * (message.role == "assistant") | IS_QUESTION * asks | FOLLOWS_QUESTION * follows_question
    return (message.said_at - _EPOCH) // _MICROSECOND << TRAIT_BITS | told


PLACES_PER_SESSION = 4096
"""A session has so many places: that of a message is the number of its session times this, and its place in there."""

Posting = int
"""That a term occurs in a message, see ``posting_of``: one number, for a question reads hundreds of them."""
WEIGHT_BITS = 20
_COUNT_BITS = 4


def posting_of(place: int, length: int, count: int) -> Posting:
    """Make a posting: the place of a message, and in the ``WEIGHT_BITS`` below it how many terms the message has, times
    16, and how often this one is among them; at most 65,535 and 15 are told."""
    return place << WEIGHT_BITS | min(length, 0xFFFF) << _COUNT_BITS | min(count, 0xF)


class ScopeStatistics(NamedTuple):
    """The messages of a scope: how many, in how many sessions, with how many terms together."""

    message_count: int
    session_count: int
    length: int


class KnownConversation(NamedTuple):
    """What the index knows of a conversation: whose it is, its revision, and the last message of its active branch."""

    scope: MemoryScope
    revision: str
    last_message_id: str | None


class Unencoded(NamedTuple):
    """A message whose tokens are not encoded yet, and the text before it in its session, or an empty one."""

    scope: MemoryScope
    place: int
    message_id: str
    speaker: str
    text: str
    text_before: str


class MemoryStats(NamedTuple):
    """How much an index holds."""

    scopes: int
    conversations: int
    messages: int
    encoded_messages: int
    size_bytes: int


class ScopeReader(ABC):
    """One scope, as it is at one moment. Synchronous, and good only inside the call that it was made for."""

    @abstractmethod
    def statistics(self) -> ScopeStatistics:
        """Count the scope; all zero where nothing was ever said."""

    @abstractmethod
    def postings(self, terms: Sequence[str], *, limit: int) -> Mapping[str, Sequence[Posting]]:
        """Find where terms occur, newest first: at most the ``limit`` newest places of each; others are left out."""

    @abstractmethod
    def postings_of_many(self, terms: Sequence[str], *, limit: int) -> Mapping[str, Sequence[Posting]]:
        """Find where terms occur, at most ``limit`` places of all; terms that nobody used are left out."""

    @abstractmethod
    def session_lengths(self, sessions: Collection[int]) -> Mapping[int, int]:
        """Count the terms of sessions."""

    @abstractmethod
    def places_between(self, start: datetime, end: datetime, *, limit: int) -> Sequence[int]:
        """List the places of messages said from ``start`` to before ``end``, at most ``limit``, newest first."""

    @abstractmethod
    def traits(self, places: Iterable[int]) -> Mapping[int, MessageTraits]:
        """Read the traits of the messages at places; a place where there is none is left out."""

    @abstractmethod
    def rows(self, places: Iterable[int]) -> Mapping[int, MemoryRow]:
        """Read the messages at places; a place where there is none is left out."""

    @abstractmethod
    def vectors(self, places: Iterable[int], encoding: str) -> Mapping[int, bytes]:
        """Read what ``put_vectors`` kept; a place without any, or of another encoding, is left out."""


class MemoryIndex(ABC):
    """What users and characters said to each other on the active branch of each conversation, to be found again.

    What is read is read of one scope, which is part of every key. Writes are atomic: a process that dies leaves all of
    one or nothing. Each sets the ``revision`` of its conversation, which is the storage's name for the state that the
    messages were taken from; one conversation is written by one caller at a time. All raise ``StorageUnavailable``.
    """

    @abstractmethod
    async def read[T](self, scope: MemoryScope, work: Callable[[ScopeReader], T]) -> T:
        """Run ``work`` over one scope, off the event loop; what it returns is returned."""

    def is_empty(self, scope: MemoryScope, *, but: UUID | None = None) -> bool:
        """Whether it is known, without looking, that nothing was ever said in a scope; turns ask this first.

        What was said in one conversation is of no matter, where ``but`` names it: who asks has all of that.
        """
        return False

    def holds_nothing_of(self, user_id: str | None, *, but: UUID | None = None) -> bool:
        """Whether it is known, without looking, that all scopes of a user are empty; see ``is_empty``."""
        return False

    @abstractmethod
    async def scopes_of(self, user_id: str | None, *, limit: int) -> Sequence[MemoryScope]:
        """List the scopes of a user, or of nobody, that hold anything; at most ``limit``, the last used first."""

    @abstractmethod
    async def known(self, conversation_id: UUID) -> KnownConversation | None:
        """Look up what is indexed of a conversation."""

    @abstractmethod
    async def conversations(self) -> Mapping[UUID, str]:
        """List the conversations that are known, those without messages too, each with its revision."""

    @abstractmethod
    async def extend(
        self, conversation_id: UUID, messages: Sequence[MemoryMessage], *, after: str, revision: str
    ) -> bool:
        """Append messages after a message of a known conversation's branch.

        What stood there is forgotten. What this costs does not grow with what stands before. Returns False, and changes
        nothing, where the conversation or the message ``after`` is not known.
        """

    @abstractmethod
    async def replace(
        self, scope: MemoryScope, conversation_id: UUID, messages: Sequence[MemoryMessage], *, revision: str
    ) -> None:
        """Make a conversation, which may be new or have been another scope's, consist of these messages alone."""

    @abstractmethod
    async def delete_conversation(self, conversation_id: UUID) -> None:
        """Forget a conversation; nothing happens where it is not known."""

    @abstractmethod
    async def delete_user(self, user_id: str) -> int:
        """Forget everything of a user, with whichever character; return how many messages that were."""

    @abstractmethod
    async def clear(self) -> None:
        """Forget everything, also what does not agree with itself."""

    @abstractmethod
    async def unencoded(self, encoding: str, *, limit: int) -> Sequence[Unencoded]:
        """List messages without vectors of this encoding, oldest first. Vectors of another one are dropped."""

    @abstractmethod
    async def put_vectors(self, encoding: str, vectors: Sequence[tuple[Unencoded, bytes]]) -> None:
        """Keep the vectors of messages; of one that has changed or gone meanwhile they are dropped."""

    @abstractmethod
    async def stats(self, scope: MemoryScope | None = None) -> MemoryStats:
        """Count what is kept, of one scope or of all."""

    @abstractmethod
    async def verify(self) -> Sequence[str]:
        """Check that the index agrees with itself; a sentence for each thing that does not."""
