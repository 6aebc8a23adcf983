"""Whatever a provider says, in whatever order: one end, one record, one settled call, and the conversation goes on."""

from asyncio import CancelledError
from collections.abc import AsyncGenerator
from math import isfinite
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from one_engine import ask

from idolchat_core.errors import ContextTooLong, ProviderUnavailable, RateLimited, ReplyCut
from idolchat_core.events.events import Event, TurnEnded, TurnStarted
from idolchat_core.llm.contract import CompletionRequest, Delta, Finished
from idolchat_core.models import Usage
from idolchat_core.settings import CoreSettings
from idolchat_core.spending.daily_totals import read_day
from idolchat_core.spending.ledger_lines import NAMESPACE
from idolchat_core.storage.document import line, parse_line
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.testing.scripted import Step
from idolchat_core.turns.engine import TurnEngine

ANY_TEXT = st.text(st.characters(), max_size=8)
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
A_CALL = st.fixed_dictionaries(
    {},
    optional={
        "index": ANY_VALUE | st.integers(0, 3),
        "id": ANY_VALUE | st.sampled_from(["a", "b", ""]),
        "function": ANY_VALUE | st.fixed_dictionaries({}, optional={"name": ANY_VALUE, "arguments": ANY_VALUE}),
        "extra_content": ANY_VALUE,
    },
)
_PROVIDERS = ("tool_calls", "reasoning", "reasoning_details", "refusal", "audio", "function_call", "images", "content")
_OURS = ("id", "parent_id", "head", "role", "name", "error", "usage", "timestamp", "turn_id", "finish_reason", "model")
NAMES = st.sampled_from(_PROVIDERS + _OURS)
FIELDS = st.dictionaries(NAMES, ANY_VALUE, max_size=3) | st.lists(A_CALL, max_size=3).map(lambda c: {"tool_calls": c})
DELTAS = st.builds(Delta, ANY_TEXT, st.none() | FIELDS, st.none() | ANY_TEXT, st.none() | ANY_TEXT)
USAGES = st.builds(
    Usage,
    input_tokens=st.integers(),
    output_tokens=st.integers(),
    cached_tokens=st.none() | st.integers(),
    reasoning_tokens=st.none() | st.integers(),
    cost=st.none() | st.floats(),
)
FINISHED = st.builds(
    Finished,
    finish_reason=ANY_TEXT,
    usage=st.none() | USAGES,
    model=st.none() | ANY_TEXT,
    completion_id=st.none() | ANY_TEXT,
)
ERRORS = st.one_of(
    st.builds(ProviderUnavailable, ANY_TEXT),
    st.builds(RateLimited, ANY_TEXT, retry_after_s=st.none() | st.floats()),
    st.builds(ContextTooLong, ANY_TEXT),
    st.builds(ReplyCut, ANY_TEXT),
    st.builds(RuntimeError, ANY_TEXT),
)
WRONG_TYPES = st.builds(Delta, ANY_VALUE, ANY_VALUE, ANY_VALUE, ANY_VALUE) | st.builds(
    Finished, finish_reason=ANY_VALUE, usage=ANY_VALUE, model=ANY_VALUE, completion_id=ANY_VALUE
)
REPLIES = st.lists(DELTAS | FINISHED | ERRORS | ANY_TEXT | WRONG_TYPES, max_size=8)


async def events_of(engine: TurnEngine, **asked: Any) -> tuple[UUID, list[Event]]:
    turn = await engine.start(ask("Hi", **asked))
    return turn.conversation_id, [event async for _, batch in turn.follow() for event in batch]


@given(steps=REPLIES)
@settings(deadline=None)
async def test_whatever_a_provider_says_there_is_one_end_one_record_and_one_settled_call(steps: list[Step]) -> None:
    storage, llm = InMemoryStorage(), ScriptedProvider(steps)
    async with TurnEngine(storage, llm, settings=CoreSettings()) as engine:
        conversation_id, events = await events_of(engine)
        stored = (await storage.read(conversation_id)).messages
        llm.say("fine")
        _, later = await events_of(engine, conversation_id=str(conversation_id))
        running = engine.running
    [day] = await storage.list_logs(NAMESPACE)
    book, _ = await read_day(storage, day)

    told = "".join(event.content for event in events if isinstance(event, Delta))
    assert [type(event) for event in events if not isinstance(event, Delta)] == [TurnStarted, TurnEnded]
    assert isinstance(events[-1], TurnEnded)
    assert [message.role for message in stored] == ["user", "assistant"]
    assert (stored[1].content or "") == told == told.encode().decode()
    assert parse_line(line(stored[1])) == stored[1]
    assert isinstance(later[-1], TurnEnded)
    assert (later[-1].state, running, len(book.opened)) == ("completed", 0, 0)
    assert sum(tally.calls for tally in book.sums.values()) == 2
    assert all(isfinite(tally.cost) and tally.cost >= 0 and tally.tokens >= 0 for tally in book.sums.values())


class CancelsItself(ScriptedProvider):
    """As a request that rests on a shared task does, when that is cancelled."""

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Finished]:
        yield Delta("Hel")
        raise CancelledError


async def test_a_provider_that_cancels_its_own_reply_cuts_it_and_the_turn_ends() -> None:
    async with TurnEngine(InMemoryStorage(), CancelsItself(), settings=CoreSettings()) as engine:
        _, events = await events_of(engine)

    assert isinstance(events[-1], TurnEnded)
    assert (events[-1].state, (events[-1].error or {})["code"]) == ("incomplete", "reply_cut")
