"""The prompt source of summaries: what stands for the messages that were cut, made before they are."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar
from uuid import UUID

from idolchat_core import (
    HistoryWindow,
    IdolchatError,
    PromptPart,
    PromptSource,
    PromptTurn,
    Services,
    Slot,
    read_settings,
)
from idolchat_memory.settings import MemorySettings
from idolchat_memory.summaries.store import SummaryStore, summaries_of
from idolchat_memory.summaries.summary import Summary
from idolchat_memory.summaries.writing import DEFAULT_PROMPT, SummaryWriter, WhatToSum

__all__ = ["NoSummaries", "SummarySource", "open_summary_source"]

log = logging.getLogger(__name__)

HEADING = "What was said before the messages below, summed up:"
ROOM_SHARE = 0.8
"""Of the room that a summary has, so much is taken: what it is estimated at may grow."""
RETRY_S = 60.0
"""After an attempt that failed, so long nothing is asked for the same conversation."""
_OFFERED = 3
_MAX_FAILED = 1000


class NoSummaries(PromptSource):
    """Says nothing, and takes no room."""

    name: ClassVar[str] = "summary"

    def is_silent(self, turn: PromptTurn) -> bool:
        """Return True."""
        return True

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        """Return none."""
        return ()


class SummarySource(PromptSource):
    """Gives the summaries of the branch, and has the next one made when the history is about to be cut."""

    name: ClassVar[str] = "summary"
    max_share: ClassVar[float] = 0.09

    def __init__(self, store: SummaryStore, writer: SummaryWriter, *, model: str | None = None) -> None:
        self._store = store
        self._writer = writer
        self._model = model
        self._making: dict[UUID, asyncio.Task[None]] = {}
        self._not_before: dict[UUID, float] = {}

    def is_silent(self, turn: PromptTurn) -> bool:
        """Whether it is known that the conversation has no summaries."""
        known = self._store.of_known_reading(turn.conversation_id, turn.reading)
        return known is not None and not known

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        """Return those that reach furthest; core takes the one that ends where the history begins."""
        summaries = await self._store.of_reading(turn.conversation_id, turn.reading)
        if not summaries:
            return ()
        ids = {str(entry.id): entry.id for entry in turn.history}
        offered: list[PromptPart] = []
        for summary in sorted(_on_branch(summaries, ids), key=lambda one: one.messages, reverse=True):
            content = f"{HEADING}\n{summary.text}"
            if turn.count(content) <= turn.budget_tokens:
                last = ids.get(summary.last_message_id, summary.last_message_id)
                offered.append(_part(summary, content)._replace(stands_for=last))
        return offered[:_OFFERED]

    def built(self, window: HistoryWindow) -> None:
        """Start to write a summary where the history will soon begin, or begins already without one."""
        turn = window.turn
        if turn.conversation_id in self._making or turn.budget_tokens <= turn.count(HEADING):
            return
        if self._not_before.get(turn.conversation_id, 0.0) > time.monotonic():
            return
        target = self._target(window)
        if target is None:
            return
        room = round(ROOM_SHARE * (turn.budget_tokens - turn.count(HEADING)))
        wanted = WhatToSum(turn.conversation_id, target, room, self._model or turn.model, turn.count)
        making = asyncio.create_task(self._make(wanted), name=f"summary of {turn.conversation_id}")
        self._making[turn.conversation_id] = making
        making.add_done_callback(lambda _: self._making.pop(turn.conversation_id, None))

    async def close(self) -> None:
        """Make no more."""
        for task in self._making.values():
            task.cancel()
        if self._making:
            await asyncio.wait(self._making.values())

    def _target(self, window: HistoryWindow) -> str | None:
        """Return the message before which everything is to be summed up; None where that is done, or not due."""
        turn = window.turn
        known = self._store.of_known_reading(turn.conversation_id, turn.reading)
        if known is None:
            return None
        places = {str(entry.id): place for place, entry in enumerate(turn.history)}
        begins = places.get(str(window.begins_with), 0) if window.begins_with is not None else 0
        nexts = [places.get(summary.next_message_id, -1) for summary in _on_branch(known, places)]
        if any(place > begins for place in nexts):
            return None  # the next one is ready
        if window.next_cut is not None:
            return str(window.next_cut)
        if window.begins_with is None or begins in nexts:
            return None
        return str(window.begins_with)  # the cut came before its summary

    async def _make(self, wanted: WhatToSum) -> None:
        try:
            await self._writer.write(wanted)
            self._not_before.pop(wanted.conversation_id, None)
            return
        except IdolchatError as error:
            facts = {"code": error.code, "conversation_id": str(wanted.conversation_id)}
            log.warning("a summary cannot be made now", extra=facts)
        except Exception:
            facts = {"conversation_id": str(wanted.conversation_id)}
            log.exception("a summary could not be made", extra=facts)
        if len(self._not_before) > _MAX_FAILED:
            self._not_before.clear()
        self._not_before[wanted.conversation_id] = time.monotonic() + RETRY_S


def _on_branch[T](summaries: Sequence[Summary], ids: dict[str, T]) -> list[Summary]:
    """Return those whose end is on the branch that these messages are of."""
    return [one for one in summaries if one.last_message_id in ids or one.next_message_id in ids]


def _part(summary: Summary, content: str) -> PromptPart:
    return PromptPart(
        source=SummarySource.name,
        key=str(summary.id),
        content=content,
        slot=Slot.SUMMARY,
        stability="cut",
        priority=1,
        why={
            "first_message_id": summary.first_message_id,
            "last_message_id": summary.last_message_id,
            "messages": summary.messages,
            "model": summary.model,
            "made_at": summary.made_at.isoformat(),
        },
    )


@asynccontextmanager
async def open_summary_source(services: Services) -> AsyncGenerator[PromptSource]:
    """Open the source, or one that says nothing where summaries are off."""
    settings = read_settings(MemorySettings)
    is_wanted = settings.summaries == "on" or (settings.summaries == "auto" and not services.provider.is_embedded)
    if not (settings.is_on and is_wanted):
        yield NoSummaries()
        return
    store = summaries_of(services.storage)
    writer = SummaryWriter(
        store,
        services.storage,
        services.background,
        prompt=settings.summary_prompt or DEFAULT_PROMPT,
        daily_tokens=settings.summary_daily_tokens,
    )
    source = SummarySource(store, writer, model=settings.summary_model)
    try:
        yield source
    finally:
        await source.close()
