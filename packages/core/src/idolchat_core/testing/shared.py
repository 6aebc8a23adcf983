"""A storage in memory that several servers of one process share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from idolchat_core.coordination.checkpoints import Checkpoints
from idolchat_core.coordination.contract import (
    Bus,
    Coordination,
    Instance,
    Membership,
    MembershipCounts,
    SharedStorage,
)
from idolchat_core.coordination.local import LocalBus, LocalCounters, StoredTurns
from idolchat_core.coordination.queue import ConversationQueue
from idolchat_core.models import Conversation, Message, new_id, utc_now
from idolchat_core.storage.changes import StoredChange, StoredChanges
from idolchat_core.testing.memory import InMemoryStorage

__all__ = ["InMemoryMember", "SharedInMemoryStorage"]


class InMemoryMember(Membership):
    """A server that lives as long as its coordination is open; a test may say that it has a ``problem``."""

    problem: str | None = None

    def __init__(self) -> None:
        self.counts = MembershipCounts(beats=1)
        self.is_draining = False
        self._instance_id = new_id()
        self._started_at = utc_now()

    @property
    def instance_id(self) -> UUID:
        return self._instance_id

    async def drain(self) -> None:
        self.is_draining = True

    def described(self, running: int) -> Instance:
        """Describe it; ``running`` is how many turns have a place."""
        return Instance(
            id=self._instance_id,
            address="memory",
            version="0",
            started_at=self._started_at,
            silent_s=0.0,
            is_draining=self.is_draining,
            running=running,
            waiting=0,
        )


class SharedInMemoryStorage(InMemoryStorage, SharedStorage):
    """Is served by any number of servers in one process; ``members`` are those that are open, the oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.members: list[InMemoryMember] = []
        self._queue, self._checkpoints = ConversationQueue(), Checkpoints(self)
        self._peers: dict[str, Callable[[bytes], None]] = {}
        self._inboxes: dict[UUID, str] = {}
        self._gone: dict[tuple[UUID, datetime], int] = {}

    @asynccontextmanager
    async def open_coordination(self, bus: Bus | None = None) -> AsyncGenerator[Coordination]:
        member = InMemoryMember()
        bus = bus or LocalBus(member.instance_id.hex, peers=self._peers)
        turns = StoredTurns(self, inbox=bus.inbox, queue=self._queue, checkpoints=self._checkpoints)
        self.members.append(member)
        self._inboxes[member.instance_id] = bus.inbox
        try:
            yield Coordination(turns=turns, bus=bus, counters=LocalCounters(), membership=member)
        finally:
            self.members.remove(member)

    async def instances(self) -> Sequence[Instance]:
        inboxes = [entry.inbox for entry in self._queue.entries.values()]
        return [member.described(inboxes.count(self._inboxes[member.instance_id])) for member in self.members]

    async def put(self, conversation: Conversation) -> None:
        self._rewrite(conversation.id)
        await super().put(conversation)

    async def replace_message(self, conversation_id: UUID, message: Message) -> None:
        await super().replace_message(conversation_id, message)
        self._rewrite(conversation_id)

    async def delete(self, conversation_id: UUID, *, expected_revision: str | None = None) -> None:
        history = (await self.read_page(conversation_id, limit=0)).conversation.created_at
        await super().delete(conversation_id, expected_revision=expected_revision)
        self._gone[conversation_id, history] = int(self._next_revision())

    async def changes(self, since: str | None) -> AsyncGenerator[StoredChanges]:
        first, last = int(since or 0), self._changes
        revisions = {key: int(one.revision) for key, one in self._stored.items()}
        changed = [StoredChange(key, str(revision)) for key, revision in revisions.items() if revision > first]
        gone = [
            StoredChange(key, str(revisions[key]) if key in revisions else None, gone=history)
            for (key, history), at in self._gone.items()
            if at > first
        ]
        yield StoredChanges([*changed, *gone], str(last))

    async def is_chosen(self, task: str) -> bool:
        return True

    def _rewrite(self, conversation_id: UUID) -> None:
        if (stored := self._stored.get(conversation_id)) is not None:
            history = stored.conversation(conversation_id, end=0).created_at
            self._gone[conversation_id, history] = int(self._next_revision())
