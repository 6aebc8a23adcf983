"""The change observer of this package: the index, and all else that rests on conversations."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from idolchat_core import ChangeObserver, Services
from idolchat_memory.facts.extraction import FactsExtraction
from idolchat_memory.facts.state import FactsStates
from idolchat_memory.facts.worker import FactsWorker
from idolchat_memory.feed import open_feed
from idolchat_memory.feed.explanations import ExplanationFollower
from idolchat_memory.feed.observer import Follower
from idolchat_memory.notes import notes_of
from idolchat_memory.notes.forgetting import NoteFollower
from idolchat_memory.service import memory_of
from idolchat_memory.summaries import summaries_of

__all__ = ["open_observer"]


@asynccontextmanager
async def open_observer(services: Services) -> AsyncGenerator[ChangeObserver]:
    """Open it, and draw facts in the background where that is wanted."""
    storage = services.storage
    followers: list[Follower] = [NoteFollower(storage), summaries_of(storage)]
    async with AsyncExitStack() as stack:
        memory = await stack.enter_async_context(memory_of(storage))
        followers.append(ExplanationFollower(memory.index, storage))
        if memory.settings.is_on and memory.settings.facts:
            extraction = FactsExtraction(memory, notes_of(storage), services.background)
            worker = FactsWorker(extraction, FactsStates(storage), every=memory.settings.facts_every)
            await stack.enter_async_context(worker.running())
            followers.append(worker)
        else:
            followers.append(FactsStates(storage))
        yield await stack.enter_async_context(open_feed(services, *followers))
