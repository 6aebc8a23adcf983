"""The worker that draws facts in the background, some messages at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from idolchat_core import Change, IdolchatError
from idolchat_memory.facts.extraction import FactsExtraction
from idolchat_memory.facts.state import FactsStates

__all__ = ["FactsWorker"]

log = logging.getLogger(__name__)

IDLE_S = 300.0
"""After so long without a further message, what few there are are looked through, too."""
RETRY_S = 60.0


class FactsWorker:
    """Follows what is said, and looks through it after every so many turns.

    That something was said is noted durably before the change counts as noted, and stays so until it was looked at.
    """

    def __init__(self, extraction: FactsExtraction, states: FactsStates, *, every: int) -> None:
        self._extraction = extraction
        self._states = states
        self._every = every
        self._due: dict[UUID, float] = {}
        self._turns: Counter[UUID] = Counter()
        self._wake = asyncio.Event()

    async def follow(self, change: Change) -> None:
        """Record a change. Raises ``StorageUnavailable``."""
        conversation_id = change.conversation_id
        if change.revision is None:
            self._due.pop(conversation_id, None)
            self._turns.pop(conversation_id, None)
            await self._states.forget(conversation_id)
            return
        if conversation_id not in self._due:
            await self._states.wait(conversation_id)
        self._turns[conversation_id] += 1
        is_due = self._turns[conversation_id] >= self._every
        self._due[conversation_id] = time.monotonic() + (0 if is_due else IDLE_S)
        self._wake.set()

    async def rests_on(self, conversation_id: UUID) -> bool:
        """Return whether a conversation waits, or anything is kept of it."""
        return conversation_id in self._due or await self._states.rests_on(conversation_id)

    async def known(self) -> Collection[UUID]:
        """List the conversations that wait, or of which anything is kept."""
        return await self._states.known()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Look through what waits, until the end."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        await self._take_up()
        while True:
            now = time.monotonic()
            ready = [one for one, due in self._due.items() if due <= now]
            for conversation_id in ready:
                await self._look_through(conversation_id)
            self._wake.clear()
            if not any(due <= time.monotonic() for due in self._due.values()):
                next_due = min(self._due.values(), default=None)
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if next_due is None else max(0.0, next_due - time.monotonic())):
                        await self._wake.wait()

    async def _take_up(self) -> None:
        """Queue what an earlier process has left."""
        while True:
            try:
                for conversation_id in await self._states.waiting():
                    self._due.setdefault(conversation_id, time.monotonic())
                return
            except IdolchatError as error:
                log.info("what waits for facts cannot be read yet", extra={"code": error.code})
                await asyncio.sleep(RETRY_S)

    async def _look_through(self, conversation_id: UUID) -> None:
        turns = self._turns.pop(conversation_id, 0)
        facts = {"conversation_id": str(conversation_id)}
        try:
            if await self._extraction.look_through(conversation_id):
                self._due[conversation_id] = time.monotonic()
            elif not self._turns[conversation_id]:  # nothing was said meanwhile
                await self._states.done(conversation_id)
                self._due.pop(conversation_id, None)
            return
        except IdolchatError as error:
            log.warning("facts cannot be drawn now", extra={**facts, "code": error.code})
        except Exception:
            log.exception("facts could not be drawn", extra=facts)
        self._turns[conversation_id] += turns
        if conversation_id in self._due:
            self._due[conversation_id] = time.monotonic() + RETRY_S
