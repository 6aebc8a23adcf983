"""The prompt source that recalls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

from idolchat_core import MemoryScope, PromptPart, PromptSource, PromptTurn, Services, Slot, utc_now
from idolchat_memory.prompt.wording import HEADING, written
from idolchat_memory.recall import Recalled, RecallQuery, RecallResult
from idolchat_memory.searching import scopes_for, search
from idolchat_memory.service import Memory, memory_of

__all__ = ["RecallSource", "open_recall_source"]

MAX_QUERY, MAX_CONTEXT = 1000, 300
"""Characters of the newest message and of the one before it that are looked up: their ends."""
LIMIT = 20


class RecallSource(PromptSource):
    """Recalls what this user and this character said to each other, in any conversation, that the newest words are on.

    Where nothing was ever said it does nothing at all.
    """

    name: ClassVar[str] = "memory"
    max_share: ClassVar[float] = 0.065

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        """Return what is recalled, best first."""
        scope = MemoryScope.model_validate({"user_id": turn.user_id, "character_id": turn.next_character_id})
        memory = self._memory
        is_unused = memory.index.is_empty(scope) and memory.index.holds_nothing_of(scope.user_id)
        if is_unused or not memory.settings.is_on:
            return ()
        query = _query(turn, budget_tokens=min(memory.settings.budget_tokens, turn.budget_tokens))
        choice = await memory.choices.of(scope.user_id)
        if query is None or not choice.recall:
            return ()
        scopes = [one for one in await scopes_for(memory, scope) if not memory.index.is_empty(one)]
        if not scopes:
            return ()
        if memory.model is not None:
            memory.model.begin()  # the first turns after a start go by words
        result = await search(memory, scopes, query, asking=scope)
        return list(_parts(result, query.now, scope))


def _query(turn: PromptTurn, *, budget_tokens: float) -> RecallQuery | None:
    """Ask with the user's newest words and what was said before them; None where nothing was said."""
    newest = next((at for at in reversed(range(len(turn.history))) if turn.history[at].role == "user"), None)
    if newest is None:
        return None
    text = _text(turn.history[newest].sent.get("content"))
    before = _text(turn.history[newest - 1].sent.get("content")) if newest else ""
    if not text.strip():
        return None
    return RecallQuery(
        text[-MAX_QUERY:],
        now=_asked_at(turn),
        context=before[-MAX_CONTEXT:],
        excluded_ids=frozenset([str(entry.id) for entry in turn.in_window]),
        limit=LIMIT,
        budget_tokens=max(0.0, budget_tokens - turn.count(HEADING)),
        tokens_of=turn.count,
    )


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _asked_at(turn: PromptTurn) -> datetime:
    """Return when the turn began, from its UUIDv7 (RFC 9562, section 5.7): the same when asked again."""
    made: UUID = turn.turn_id
    if made.version == 7:
        return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)
    return utc_now()


def _parts(result: RecallResult, now: datetime, scope: MemoryScope) -> Iterator[PromptPart]:
    for place, item in enumerate(result.items):
        text = written(item, now, scope)
        yield PromptPart(
            source=RecallSource.name,
            key=item.row.message.message_id,
            content=text if place else f"{HEADING}\n{text}",
            slot=Slot.TAIL,
            stability="turn",
            priority=len(result.items) - place,
            order=place,
            why=_why(item, result),
        )


def _why(item: Recalled, result: RecallResult) -> dict[str, object]:
    message = item.row.message
    why: dict[str, object] = {
        "message_id": message.message_id,
        "conversation_id": str(item.row.conversation_id),
        "said_at": message.said_at.isoformat(),
        "score": round(item.score, 2),
        "relevance": round(item.relevance, 2),
        "matched": list(item.matched),
        "semantic": result.is_semantic,
    }
    if result.period is not None:
        why |= {"period": result.period.words, "in_period": item.is_in_period}
    if result.vague_words is not None:
        why["time_not_read"] = result.vague_words
    if result.speaker is not None:
        why |= {"asked_of": result.speaker, "of_speaker": item.is_of_speaker}
    return why


@asynccontextmanager
async def open_recall_source(services: Services) -> AsyncGenerator[PromptSource]:
    """Open the source over the memory of the chosen storage."""
    async with memory_of(services.storage) as memory:
        yield RecallSource(memory)
