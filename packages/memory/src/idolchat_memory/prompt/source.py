"""The prompt source that recalls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import ClassVar, NamedTuple
from uuid import UUID

from idolchat_core import (
    MemoryScope,
    PromptPart,
    PromptSource,
    PromptTurn,
    Services,
    Slot,
    Storage,
    StoredId,
    id_text,
    utc_now,
)
from idolchat_memory.prompt.wording import HEADING, written
from idolchat_memory.recall import InPrompt, Recalled, RecallQuery, RecallResult
from idolchat_memory.searching import are_stored, as_said, changed_since, indexed_revisions, scopes_for
from idolchat_memory.service import Memory, memory_of

__all__ = ["RecallSource", "open_recall_source"]

MAX_QUERY, MAX_CONTEXT = 1000, 300
"""Characters of the newest message and of the one before it that are looked up: their ends."""
LIMIT = 20


class _Quote(NamedTuple):
    """A recalled message as it stands in the prompt, and why."""

    item: Recalled
    line: str
    why: Mapping[str, object]


class _Quotes(NamedTuple):
    """All of them, best first, and what is to be told of all together."""

    quotes: Sequence[_Quote]
    why: Mapping[str, object]

    @property
    def parts(self) -> Sequence[PromptPart]:
        """The parts that say them."""
        return _parts(self.quotes, self.why)

    @property
    def items(self) -> Sequence[Recalled]:
        """The messages."""
        return [quote.item for quote in self.quotes]


class RecallSource(PromptSource):
    """Recalls what this user and this character said to each other, in any conversation, that the newest words are on.

    Where nothing was ever said, but in a conversation that the prompt holds anyway, it does nothing at all.
    """

    name: ClassVar[str] = "memory"
    max_share: ClassVar[float] = 0.065

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def is_silent(self, turn: PromptTurn) -> bool:
        """Whether memory is off, or nothing was ever said to this user's characters that the prompt does not hold."""
        memory, user_id = self._memory, turn.user_id
        if not memory.settings.is_on:
            return True
        user_id = id_text(user_id) if isinstance(user_id, UUID) else user_id
        return memory.index.holds_nothing_of(user_id, but=_held_whole(turn))

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        """Return one part of all that is recalled, best first."""
        memory = self._memory
        if not memory.settings.is_on:
            return ()
        scope, whole = _scope_of(turn.user_id, turn.next_character_id), _held_whole(turn)
        newest = _newest_of_user(turn)
        if newest is None or not _text_of(turn, newest).strip():
            return ()
        choice = await memory.choices.of(scope.user_id)
        if not choice.recall:
            return ()
        scopes = [one for one in await scopes_for(memory, scope, choice) if not memory.index.is_empty(one, but=whole)]
        if not scopes:
            return ()
        if memory.model is not None:
            memory.model.begin()  # the first turns after a start go by words
        budget_tokens = min(memory.settings.budget_tokens, turn.budget_tokens)
        agreed = turn.conversation_id if memory.agreement.holds(turn.conversation_id, turn.reading) else None

        def prepared(result: RecallResult, query: RecallQuery) -> Sequence[PromptPart] | _Quotes:
            quotes = _quotes(result, query.now, scope)
            return quotes.parts if _are_stored_here(memory.storage, quotes, agreed) else quotes

        found = await memory.recall.work(scopes, lambda: _query(turn, newest, budget_tokens=budget_tokens), prepared)
        return await self._stored(found, agreed) if isinstance(found, _Quotes) else found

    async def _stored(self, found: _Quotes, agreed: UUID | None) -> Sequence[PromptPart]:
        """Return the parts of what is stored as it was indexed."""
        storage = self._memory.storage
        changed = await changed_since(storage, indexed_revisions(found.items), agreed=agreed)
        stored = await are_stored(storage, found.items, changed) if changed else [True] * len(found.quotes)
        return _parts([one for one, is_stored in zip(found.quotes, stored, strict=True) if is_stored], found.why)


def _are_stored_here(storage: Storage, found: _Quotes, agreed: UUID | None) -> bool:
    """Whether a thread finds, without the event loop, that nothing of this has changed since it was indexed."""
    indexed = indexed_revisions(found.items)
    asked = [one for one in indexed if one != agreed]
    revisions = storage.revisions_here(asked) if asked else {}
    return revisions is not None and all(revisions.get(one) == indexed[one] for one in asked)


@lru_cache(4096)
def _scope_of(user_id: StoredId | None, character_id: StoredId | None) -> MemoryScope:
    return MemoryScope.model_validate({"user_id": user_id, "character_id": character_id})


def _held_whole(turn: PromptTurn) -> UUID | None:
    """Return the conversation where the prompt holds all of its branch."""
    is_whole = turn.cut is None and bool(turn.history) and not turn.history[0].position
    return turn.conversation_id if is_whole else None


def _newest_of_user(turn: PromptTurn) -> int | None:
    for place in range(len(turn.history) - 1, -1, -1):
        if turn.history[place].sent["role"] == "user":
            return place
    return None


def _query(turn: PromptTurn, newest: int, *, budget_tokens: float) -> RecallQuery:
    """Ask with the user's newest words and what was said before them."""
    before = _text_of(turn, newest - 1) if newest else ""
    held = turn.in_window
    return RecallQuery(
        _text_of(turn, newest)[-MAX_QUERY:],
        now=_asked_at(turn),
        context=before[-MAX_CONTEXT:],
        in_prompt=InPrompt(turn.conversation_id, held[0].position, len(held)),
        limit=LIMIT,
        budget_tokens=max(0.0, budget_tokens - turn.count(HEADING)),
        tokens_of=turn.count,
    )


def _text_of(turn: PromptTurn, place: int) -> str:
    content = turn.history[place].sent.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join([part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)])


def _asked_at(turn: PromptTurn) -> datetime:
    """Return when the turn began, from its UUIDv7 (RFC 9562, section 5.7): the same when asked again."""
    made: UUID = turn.turn_id
    if made.version == 7:
        return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)
    return utc_now()


def _quotes(result: RecallResult, now: datetime, scope: MemoryScope) -> _Quotes:
    """Write what is recalled, and why; off the event loop."""
    items = [as_said(item, scope) for item in result.items]
    return _Quotes([_Quote(item, written(item, now, scope), _why(item, result)) for item in items], _how(result))


def _parts(quotes: Sequence[_Quote], why: Mapping[str, object]) -> Sequence[PromptPart]:
    if not quotes:
        return ()
    part = PromptPart(
        source=RecallSource.name,
        key="recalled",
        content="\n".join([HEADING, *[quote.line for quote in quotes]]),
        slot=Slot.TAIL,
        stability="turn",
        priority=1,
        why={**why, "messages": [quote.why for quote in quotes]},
    )
    return (part,)


def _why(item: Recalled, result: RecallResult) -> Mapping[str, object]:
    message = item.row.message
    why: dict[str, object] = {
        "message_id": message.message_id,
        "conversation_id": str(item.row.conversation_id),
        "said_at": message.said_at.isoformat(),
        "score": round(item.score, 2),
        "relevance": round(item.relevance, 2),
        "matched": list(item.matched),
    }
    if result.period is not None:
        why["in_period"] = item.is_in_period
    if result.speaker is not None:
        why["of_speaker"] = item.is_of_speaker
    return why


def _how(result: RecallResult) -> Mapping[str, object]:
    """Describe how the question was read, and how many were left out: for want of room, or as saying the same."""
    how: dict[str, object] = {
        "semantic": result.is_semantic,
        "over_budget": result.over_budget,
        "duplicates": result.duplicates,
    }
    if result.period is not None:
        how["period"] = result.period.words
    if result.vague_words is not None:
        how["time_not_read"] = result.vague_words
    if result.speaker is not None:
        how["asked_of"] = result.speaker
    return how


@asynccontextmanager
async def open_recall_source(services: Services) -> AsyncGenerator[PromptSource]:
    """Open the source over the memory of the chosen storage."""
    async with memory_of(services.storage) as memory:
        yield RecallSource(memory)
