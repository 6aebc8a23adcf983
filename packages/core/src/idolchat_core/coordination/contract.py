"""The contracts between the processes that serve the same conversations.

One process needs none of it: ``local`` is what stands behind them where a storage is not shared.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from idolchat_core.events.events import TurnState
from idolchat_core.models import Conversation, Message, Page, StoredId
from idolchat_core.rate_limits import LeakyBuckets
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.storage.changes import StoredChanges
from idolchat_core.storage.contract import Storage

__all__ = [
    "CHOSEN_S",
    "AlreadyEntered",
    "Bus",
    "BusState",
    "Coordination",
    "Counters",
    "Instance",
    "Membership",
    "MembershipCounts",
    "NewMessages",
    "Occupant",
    "OnBusy",
    "SharedStorage",
    "Sums",
    "TurnForgotten",
    "TurnStore",
    "TurnTakenOver",
    "TurnsAhead",
    "UnfinishedTurn",
    "Write",
]


CHOSEN_S = 3.0
"""How long a process that was chosen for a task may do it after it has asked; no other one is chosen sooner."""


class OnBusy(StrEnum):
    """What to do when a turn is running in the conversation already.

    ``enqueue`` waits for it; ``reject`` raises ``ConversationBusy``; ``interrupt`` stops it and keeps what was said;
    ``rollback`` stops it and takes it back, the user's message too.
    """

    ENQUEUE = "enqueue"
    REJECT = "reject"
    INTERRUPT = "interrupt"
    ROLLBACK = "rollback"


class UnfinishedTurn(BaseModel):
    """A turn that is not in its conversation yet.

    ``messages`` are the user's, of a turn that waits; without any, the turn answers ``user_message_id``. One that
    ``continues`` a conversation does not begin it anew when it has been deleted meanwhile.
    """

    model_config = ConfigDict(frozen=True)

    turn_id: UUID
    conversation_id: UUID
    user_id: StoredId | None = None
    character_id: StoredId | None = None
    user_message_id: StoredId
    message_id: StoredId
    model: str | None = None
    content: str = ""
    fields: dict[str, Any] = {}
    messages: tuple[Message, ...] = ()
    continues: bool = False


class Occupant(NamedTuple):
    """A turn that has a place in its conversation.

    ``inbox`` is that of the process that has the turn; ``has_begun`` says that its messages are stored.
    """

    turn_id: UUID
    conversation_id: UUID
    inbox: str
    is_waiting: bool
    has_begun: bool


class NewMessages(NamedTuple):
    """Messages to add to a conversation; the other fields are those of ``Storage.append``.

    With ``on_added`` they rest on nothing that others may have added since ``expected_revision``. A store may then add
    them behind that instead of refusing them, and calls ``on_added`` with a page that ends with what was added, and
    whether the page is that alone. It does so only where messages were just added, the last of them, which is the end
    of the active branch, is not the user's, none is of the same turn, the conversation has one character and was not
    updated after ``updated_at``.
    """

    messages: Sequence[Message]
    expected_count: int
    updated_at: datetime
    head: StoredId | None = None
    expected_revision: str | None = None
    on_added: Callable[[Page, bool], None] | None = None


type Write = Conversation | NewMessages
"""What a turn stores: a conversation that it begins, or messages in one that is there."""


class AlreadyEntered(Exception):
    """The turn has a place already; ``occupant`` says where it is."""

    def __init__(self, occupant: Occupant) -> None:
        super().__init__(f"turn {occupant.turn_id} has a place in conversation {occupant.conversation_id} already")
        self.occupant = occupant


class TurnTakenOver(Exception):
    """This process was taken for dead, and another one has ended the turn: nothing of it is to be stored here."""


class TurnForgotten(TurnTakenOver):
    """What was kept of the turn was removed, as its conversation or user was: nothing of it is to be stored."""


class TurnsAhead(Exception):
    """A turn that was to begin has its place, and must wait for those in ``ahead``, the running one first."""

    def __init__(self, ahead: Sequence[Occupant]) -> None:
        super().__init__(f"{len(ahead)} turns have places in conversation {ahead[0].conversation_id} already")
        self.ahead = ahead


class TurnStore(ABC):
    """Who runs a turn in each conversation, who waits, and what is left of turns whose process has died.

    Each process has one; all those of a storage agree. A turn enters, waits where others are ahead, begins, is saved
    while it runs, and ends; at each step ``end`` without a write gives its place up. What a method has changed is
    durable when it returns, except for ``enter`` and ``save``. How a store learns that a process has died is its own
    affair. Every method may raise ``StorageUnavailable``.
    """

    async def peers(self) -> Sequence[str]:
        """List the inboxes of the other processes that live; none where there are no others."""
        return ()

    async def leave_events(self, events: Mapping[UUID, bytes], *, kept_s: float) -> None:  # noqa: B027  no others
        """Leave what is told of turns that are over to the others, for so long. A failure is logged, and no error."""

    async def left_events(self, turn_id: UUID) -> bytes | None:
        """Return what a process that has left told of a turn; None where nothing is known, or no longer."""
        return None

    async def hand_over(self) -> None:  # noqa: B027  where there are no others, nothing waits for theirs
        """Leave the turns that wait for those of other processes to whoever takes over.

        ``reached`` raises ``TurnTakenOver`` for them.
        """

    @abstractmethod
    async def enter(
        self, conversation_id: UUID, turn_id: UUID, *, on_busy: OnBusy, max_waiting: int, begins_at_once: bool = False
    ) -> Sequence[Occupant]:
        """Add a turn to its conversation's queue, and return those ahead, the running one first; with none, it begins.

        With ``interrupt`` and ``rollback`` all of them are to stop, as ``stop`` has them. Raises ``ConversationBusy``
        for ``reject``, ``QueueFull`` where ``max_waiting`` turns wait, and ``AlreadyEntered``.

        With ``begins_at_once`` the turn is about to ``begin``, and to write messages that do not depend on who has a
        place: a store to which each step is a journey may return none, and add the turn as it begins. ``begin`` raises
        then what is raised here, and ``TurnsAhead`` where others are ahead.
        """

    @abstractmethod
    async def wait(self, turn: UnfinishedTurn) -> None:
        """Keep the messages of a turn that waits, so that it is there for its sender whatever happens."""

    @abstractmethod
    async def reached(self, conversation_id: UUID, turn_id: UUID) -> bool:
        """Return when nobody is ahead of a turn any more, and whether one that was ahead of it has begun.

        Raises ``TurnTakenOver`` where others have taken this process for dead, or the turn was handed over, and
        ``TurnForgotten``.
        """

    def look_again(self) -> None:  # noqa: B027  a store that is told by itself whose place has come needs none of it
        """Another process has told that a turn has ended: see at once what ``reached`` waits for.

        That may never be told, or too early, and is found without it a moment later.
        """

    @abstractmethod
    async def begin(
        self,
        conversation_id: UUID,
        turn_id: UUID,
        write: Write | None,
        *,
        call: MeteredCall,
        describe: Callable[[], UnfinishedTurn],
        is_kept: bool = False,
    ) -> str | None:
        """Store what a turn begins with and the ledger's line of its call, and return as ``create`` and ``append`` do.

        A store that writes both in one commit takes the line by ``call.take_lines()``; another begins to write it by
        ``call.write()``, and whoever began the turn waits for it. ``is_kept`` says that no message in the conversation
        tells of the turn, so that the store is to keep what ``describe`` returns. With nothing to write, the turn
        answers what is stored. Raises as ``create`` and ``append`` do; then the turn has its place still, and may begin
        anew. Raises ``TurnTakenOver`` and ``TurnForgotten``, too. See ``enter`` for what else one that
        ``begins_at_once`` may meet.
        """

    @abstractmethod
    async def save(self, turns: Sequence[UnfinishedTurn]) -> Mapping[UUID, TurnState]:
        """Keep the replies so far, and return which turns of this process are to stop, and as what.

        A turn that has no place here any more is not kept. A failure to write is logged, and no error.
        """

    @abstractmethod
    async def end(
        self, conversation_id: UUID, turn_id: UUID, write: Write | None = None, *, call: MeteredCall | None = None
    ) -> str | None:
        """Store the reply of a turn, let the next one begin, and keep nothing more of it.

        A store that writes all of this in one commit takes the lines of the ledger by ``call.take_lines()``; else they
        are written within a moment. Raises as ``begin``; then the turn has its place still.
        """

    @abstractmethod
    async def postpone(self, conversation_id: UUID, turn_id: UUID) -> None:
        """Leave a turn that is over and cannot be stored now as it is: ``end`` follows when it can.

        Until then no turn of another process begins in its conversation.
        """

    @abstractmethod
    async def stop(self, turn_id: UUID, state: TurnState) -> Occupant | None:
        """Mark a turn to be stopped, and return where it runs or waits; None where it does neither.

        Its process learns it by ``save``, and sooner by a message that the caller sends to its inbox.
        """

    @abstractmethod
    async def find(self, turn_id: UUID) -> Occupant | None:
        """Return where a turn is that runs or waits."""

    @abstractmethod
    async def occupants(self, conversation_id: UUID) -> Sequence[Occupant]:
        """List the turns of a conversation, the running one first."""

    @abstractmethod
    async def take_over(self) -> Sequence[UnfinishedTurn]:
        """Return the turns of processes that have died since the last call, which are this one's to ``end`` now.

        They come in the order in which they are to be stored.
        """

    @abstractmethod
    async def forget(self, chosen: Callable[[UnfinishedTurn], bool]) -> int:
        """Remove what is kept of the unfinished turns that are chosen, and return of how many: nobody takes them over.

        That is for turns of a conversation that is deleted, and for one whose message is.
        """

    @abstractmethod
    async def settled(self) -> None:
        """Wait until nothing is kept of turns that have ended."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what goes on in the background."""


@dataclass(slots=True, kw_only=True)
class BusState:
    """How a bus does: messages since it was opened, and what is wrong with it now.

    ``dropped`` are those that could not be sent, ``lag_s`` is what a message to its own inbox took last.
    """

    sent: int = 0
    received: int = 0
    dropped: int = 0
    lag_s: float | None = None
    problem: str | None = None


class Bus(ABC):
    """Carries messages between processes: at most once, in order from one sender to one inbox. It only hastens.

    Whatever a message says is also found without it. A message is any bytes, most of them a few hundred, and some as
    long as a reply.
    """

    inbox: str
    """Where this process receives."""

    @property
    def state(self) -> BusState:
        """How it does, for who watches it; a bus that does not count says that nothing is wrong."""
        return BusState()

    @abstractmethod
    def send(self, inbox: str, message: bytes) -> None:
        """Send a message. It never waits; what cannot be delivered is dropped."""

    @abstractmethod
    def receive(self, take: Callable[[bytes], None]) -> AbstractAsyncContextManager[None]:
        """Call ``take`` with each message that arrives, while the context is open; it must be quick and not raise."""


type Sums = Mapping[str, Sequence[float]]
"""Amounts that were added to sums, by the key of each."""


class Counters(ABC):
    """Rates and sums that the processes of a storage count together."""

    lag_s: float = 0.0
    """How long what another process has counted may be on its way."""

    @abstractmethod
    def buckets(self, name: str, *, unit: str, limit: float, window_s: float = 60.0) -> LeakyBuckets:
        """Return the buckets of a limit; whoever asks for the same name counts in the same ones."""

    def share(self, name: str, hear: Callable[[Sums], None]) -> Callable[[str, Sequence[float]], None] | None:
        """Return what tells the others that amounts were added to the sum of a key; None where there are no others.

        ``hear`` is called with what they have added from now on: it is quick and does not raise.
        """
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A process that serves a shared storage, as the storage knows it.

    ``address`` tells the machine and the process, ``silent_s`` how long ago it said that it lives, by the clock of the
    storage; ``running`` and ``waiting`` count its turns.
    """

    id: UUID
    address: str
    version: str
    started_at: datetime
    silent_s: float
    is_draining: bool
    running: int
    waiting: int


@dataclass(slots=True, kw_only=True)
class MembershipCounts:
    """How often this process said that it lives, failed to, and was taken for dead all the same."""

    beats: int = 0
    failed_beats: int = 0
    expulsions: int = 0


class Membership(ABC):
    """This process among those that serve a shared storage."""

    counts: MembershipCounts

    @property
    @abstractmethod
    def instance_id(self) -> UUID:
        """Its id, which is another one after it was taken for dead."""

    @property
    @abstractmethod
    def problem(self) -> str | None:
        """Why it takes no turns now, in words for an operator; None while it is in good standing."""

    @abstractmethod
    async def drain(self) -> None:
        """Publish to the others that it takes no new turns. Raises ``StorageUnavailable``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordination:
    """What a process needs beside the storage where others serve it too; without ``membership`` there are none."""

    turns: TurnStore
    bus: Bus
    counters: Counters
    membership: Membership | None = None


class SharedStorage(Storage):
    """A storage that several processes may serve at once, for it brings what coordinates them.

    Its factory is registered with ``is_shared=True``.
    """

    is_shared = True

    @abstractmethod
    def open_coordination(self, bus: Bus | None = None) -> AbstractAsyncContextManager[Coordination]:
        """Join the processes that share the storage, while the context is open; turns that run at its end are theirs.

        Turns of this process are found at the inbox of ``bus``, an open one that the settings name; without it the
        storage brings its own.
        """

    @abstractmethod
    async def instances(self) -> Sequence[Instance]:
        """List the processes that serve it now, the longest-running first. Raises ``StorageUnavailable``."""

    @abstractmethod
    def changes(self, since: str | None) -> AsyncGenerator[StoredChanges]:
        """Yield which conversations any process has changed since a place, or all that are stored, page by page.

        ``since`` is the ``next`` of the last page that was read before. A change may be told again, and none is missed.
        Raises ``StorageUnavailable``.
        """

    @abstractmethod
    async def is_chosen(self, task: str) -> bool:
        """Whether this process, alone of all, is to do something for ``CHOSEN_S`` seconds; it asks again meanwhile.

        When it ends, another one is chosen at once; when it dies or stands still, some seconds later. Raises
        ``StorageUnavailable``.
        """
