"""Two engines on one storage, which find each other's turns by the contracts alone."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from types import MappingProxyType
from typing import Any
from uuid import UUID

from idolchat_core.coordination.checkpoints import Checkpoints
from idolchat_core.coordination.contract import Bus, Coordination
from idolchat_core.coordination.local import LocalBus, LocalCounters, StoredTurns
from idolchat_core.coordination.queue import ConversationQueue
from idolchat_core.events.events import Event
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import Page
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import FaultyBus, InMemoryStorage, ScriptedProvider, until
from idolchat_core.turns.engine import TurnEngine


class SharedInMemory(InMemoryStorage):
    """Counts the pages that are read of it."""

    is_shared = True
    pages = 0

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        self.pages += 1
        return await super().read_page(conversation_id, limit=limit, before=before)


class Cluster:
    """What the engines share; each has an inbox and a provider of its own."""

    def __init__(self) -> None:
        self.storage = SharedInMemory()
        self._queue = ConversationQueue()
        self._checkpoints = Checkpoints(self.storage)
        self._peers: dict[str, Callable[[bytes], None]] = {}

    def cut(self, inbox: str) -> None:
        """Have nothing arrive at an inbox any more, and nothing come from it."""
        self._peers.pop(inbox, None)
        for peer in list(self._peers):
            self._peers[peer] = lambda _: None

    @asynccontextmanager
    async def engine(
        self,
        inbox: str,
        llm: ScriptedProvider,
        *,
        turns: type[StoredTurns] = StoredTurns,
        recovers: bool = False,
        faults: Mapping[str, Any] = MappingProxyType({}),
    ) -> AsyncGenerator[TurnEngine]:
        bus: Bus = LocalBus(inbox, peers=self._peers)
        coordination = Coordination(
            turns=turns(self.storage, inbox=inbox, queue=self._queue, checkpoints=self._checkpoints),
            bus=FaultyBus(bus, **faults),
            counters=LocalCounters(),
        )
        settings = CoreSettings(shutdown_grace_s=0)
        async with TurnEngine(
            self.storage, llm, settings=settings, coordination=coordination, recovers=recovers
        ) as engine:
            yield engine


async def said(cluster: Cluster, turn: LiveTurn) -> list[Any]:
    conversation = await cluster.storage.read(turn.conversation_id)
    return [message.content for message in conversation.messages]


async def until_said(turn: LiveTurn, text: str) -> None:
    async for _ in turn.follow():
        if turn.content == text:
            return


async def events_of(turn: LiveTurn) -> list[Event]:
    return [event async for _, batch in turn.follow() for event in batch]


async def until_it_speaks(turn: LiveTurn) -> None:
    async with aclosing(turn.follow()) as batches:
        async for _ in batches:
            if turn.content:
                return


async def until_stored(cluster: Cluster, turn: LiveTurn) -> None:
    await until("a stored reply", lambda: said(cluster, turn), lambda found: len(found) == 2)
