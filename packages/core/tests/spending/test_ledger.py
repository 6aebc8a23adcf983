"""Every call is in the ledger once, with what it took, through crashes at every point."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from one_engine import ask
from pydantic_core import from_json

from idolchat_core.errors import ProviderUnavailable, SpendingStopped, StorageUnavailable
from idolchat_core.events.events import TurnEnded, TurnState
from idolchat_core.llm.contract import CompletionRequest, Delta, Finished
from idolchat_core.models import Usage
from idolchat_core.settings import CoreSettings
from idolchat_core.spending.daily_totals import DailyTotals, read_day
from idolchat_core.spending.kill_switch import resume_spending, stop_spending
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest

USER = uuid4()


class Billing(ScriptedProvider):
    """Names its replies, charges for them, and tells of one later when ``told`` is set."""

    can_reconcile = True

    def __init__(self) -> None:
        super().__init__()
        self.told: Usage | None = None
        self.asked = asyncio.Event()

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Finished]:
        async for piece in super().stream(request):
            if isinstance(piece, Delta):
                yield Delta(piece.content, None, piece.model, "gen-1" if piece.model else None)
            else:
                yield Finished(finish_reason="stop", usage=Usage(input_tokens=10, output_tokens=2, cost=0.5))

    async def reconcile(self, completion_id: str) -> Usage | None:
        self.asked.set()
        return self.told if completion_id == "gen-1" else None


@asynccontextmanager
async def engine(
    storage: InMemoryStorage, llm: ScriptedProvider, *, shutdown_grace_s: float = 0
) -> AsyncIterator[TurnEngine]:
    settings = CoreSettings(shutdown_grace_s=shutdown_grace_s)
    async with TurnEngine(storage, llm, settings=settings, recovers=True) as turns:
        yield turns


def asked(text: str, **more: Any) -> TurnRequest:
    return ask(text, user_id=USER, **more)


async def finish(turns: TurnEngine, request: TurnRequest) -> TurnEnded:
    return await (await turns.start(request)).ended()


async def today(storage: InMemoryStorage) -> DailyTotals:
    book, _ = await read_day(storage, datetime.now(UTC).strftime("%Y-%m-%d"))
    return book


async def lines_of(storage: InMemoryStorage) -> list[dict[str, Any]]:
    written = [await storage.read_log("spending", day) for day in await storage.list_logs("spending")]
    return [from_json(line) for line in b"".join(written).splitlines()]


async def test_a_turn_is_written_down_before_the_provider_is_asked_and_when_it_is_over(
    storage: InMemoryStorage,
) -> None:
    llm, going_on = Billing(), asyncio.Event()
    llm.say(["Hello", going_on, " you"])
    async with engine(storage, llm) as turns:
        turn = await turns.start(asked("Hi"))
        await llm.wait_for_replies(1)
        [opened] = await lines_of(storage)
        going_on.set()
        await turn.ended()
    [settled] = [line for line in await lines_of(storage) if "call" in line]

    assert (opened["open"], opened["turn"]) == (str(turn.message_id), str(turn.turn_id))
    assert (settled["call"], settled["user"], settled["purpose"]) == (opened["open"], str(USER), "chat")
    assert (settled["input"], settled["output"], settled["cost"], settled["estimated"]) == (10, 2, 0.5, False)
    assert (settled["completion"], settled["outcome"]) == ("gen-1", "completed")


async def test_a_replay_and_a_refusal_are_no_calls(storage: InMemoryStorage, llm: ScriptedProvider) -> None:
    async with engine(storage, llm) as turns:
        for _ in range(3):
            await (await turns.start(asked("Hi"), idempotency_key="k")).ended()
    async with engine(storage, llm) as turns:
        await (await turns.start(asked("Hi"), idempotency_key="k")).ended()

    assert (await today(storage)).total.calls == 1


async def test_a_cancelled_reply_is_estimated_and_corrected_by_the_provider(
    storage: InMemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idolchat_core.spending.reconciliation.PAUSES_S", (0.0, 0.0))
    llm, never = Billing(), asyncio.Event()
    llm.told = Usage(input_tokens=31, output_tokens=7, cost=0.25)
    llm.say(["Hello", never])
    async with engine(storage, llm) as turns:
        turn = await turns.start(asked("Hi"))
        async for _, events in turn.follow():
            if any(isinstance(event, Delta) for event in events):
                break
        await turns.cancel(turn.turn_id)
        await llm.asked.wait()
        await asyncio.sleep(0)  # what was told is taken in
        assert turns.ledger.budgets.month.overall.tokens == 38
    book = await today(storage)

    assert (book.total.input_tokens, book.total.output_tokens, book.total.cost) == (31, 7, 0.25)
    assert (book.total.calls, book.total.cancelled, book.total.estimated) == (1, 1, 0)


async def test_a_provider_that_refuses_is_a_call_that_took_nothing(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say([ProviderUnavailable("away")])
    async with engine(storage, llm) as turns:
        assert (await finish(turns, asked("Hi"))).state is TurnState.FAILED
    book = await today(storage)

    assert (book.total.calls, book.total.tokens, book.opened) == (1, 0, {})


async def test_a_call_of_which_only_the_intent_is_left_is_settled_from_the_conversation(
    storage: InMemoryStorage,
) -> None:
    llm = Billing()
    async with engine(storage, llm) as turns:
        await finish(turns, asked("Hi"))
        crashed = deepcopy(storage)  # the end is still to be written to the ledger, and is in the conversation
    assert not [line for line in await lines_of(crashed) if "call" in line]

    async with engine(crashed, Billing()) as turns:
        assert turns.ledger.budgets.day.overall.tokens == 12
    book = await today(crashed)
    assert (book.total.calls, book.total.tokens, book.total.cost) == (1, 12, 0.5)


async def test_a_reply_cut_by_a_crash_counts_as_an_estimate(storage: InMemoryStorage, llm: ScriptedProvider) -> None:
    never = asyncio.Event()
    llm.say(["Hello", never])
    async with engine(storage, llm) as turns:
        await turns.start(asked("How are you today, my friend?"))
        await llm.wait_for_replies(1)
        crashed = deepcopy(storage)
    async with engine(crashed, llm):
        pass
    [settled] = [line for line in await lines_of(crashed) if "call" in line]

    assert (settled["outcome"], settled["estimated"]) == ("unknown", True)
    assert settled["input"] > 5


async def test_a_call_whose_message_was_never_stored_was_never_made(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    conversation_id = uuid4()
    async with engine(storage, llm) as turns:
        await finish(turns, asked("Hi", conversation_id=conversation_id))
    await storage.append_log("spending", f"{datetime.now(UTC):%Y-%m-%d}", _intent(conversation_id))
    async with engine(storage, llm):
        pass
    book = await today(storage)

    assert (book.total.calls, book.opened) == (1, {})
    assert (await lines_of(storage))[-1] == {"void": "c"}


async def test_a_ledger_that_cannot_be_written_fails_the_turn_before_the_provider_is_asked(
    storage: InMemoryStorage, llm: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise StorageUnavailable("disk full")

    async with engine(storage, llm) as turns:
        with monkeypatch.context() as patch:
            patch.setattr(storage, "append_log", refuse)
            turn = await turns.start(asked("Hi"))
            ended = await turn.ended()
        assert (ended.state, (ended.error or {})["code"]) == (TurnState.FAILED, "storage_unavailable")
        stored = await storage.read(turn.conversation_id)
        assert [message.id for message in stored.messages] == [turn.user_message_id]
        assert llm.requests == []
        assert turns.ledger.budgets.in_flight == 0


async def test_the_stop_switch_refuses_turns_and_ends_those_that_wait(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    conversation_id, going_on = uuid4(), asyncio.Event()
    llm.say(["One", going_on], "Two", "Three")
    async with engine(storage, llm, shutdown_grace_s=10) as turns:
        first = await turns.start(asked("1", conversation_id=conversation_id))
        await llm.wait_for_replies(1)
        waiting = await turns.start(asked("2", conversation_id=conversation_id), idempotency_key="two")
        await stop_spending(storage, "too dear")
        await turns.ledger.look()
        with pytest.raises(SpendingStopped, match="too dear"):
            await turns.start(asked("3"))
        going_on.set()
        assert (await first.ended()).state is TurnState.COMPLETED
        ended = await waiting.ended()
        assert (ended.state, (ended.error or {})["code"]) == (TurnState.FAILED, "spending_stopped")
        await resume_spending(storage)
        await turns.ledger.look()
        again = await turns.start(asked("2", conversation_id=conversation_id), idempotency_key="two")
        assert (await again.ended()).state is TurnState.COMPLETED

    assert (await today(storage)).total.calls == 2


async def test_a_start_reads_no_more_than_what_the_sums_of_a_day_lack(
    storage: InMemoryStorage, llm: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idolchat_core.spending.ledger.ROLL_UP_BYTES", 4000)
    async with engine(storage, llm) as turns:
        for number in range(30):
            await finish(turns, asked(f"{number}"))
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    whole = DailyTotals(day)
    whole.take(await storage.read_log("spending", day))
    book, size_bytes = await read_day(storage, day)

    assert size_bytes < 6000 < whole.offset
    assert (book.sums, book.opened, book.offset) == (whole.sums, {}, whole.offset)


def test_lines_that_are_cut_short_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    book = DailyTotals("2026-11-26")
    book.take(b'{"open": "a", "at"\n' + _intent(uuid4()) + b'\x00\x00\n{"open": "still being wri')

    assert list(book.opened) == ["c"]
    assert len(caplog.records) == 2


def _intent(conversation_id: UUID) -> bytes:
    at = datetime.now(UTC).isoformat()
    return (
        f'{{"open":"c","at":"{at}","purpose":"chat","turn":"{uuid4()}","conversation":"{conversation_id}",'
        '"user":null,"key":null,"model":null}\n'
    ).encode()


@pytest.mark.parametrize("cost", [float("inf"), float("nan"), 1e308, -1000.0])
async def test_a_cost_that_cannot_be_right_is_estimated(storage: InMemoryStorage, cost: float) -> None:
    told = Usage(input_tokens=10, output_tokens=2, cost=cost)
    llm = ScriptedProvider(["Hi", Finished(finish_reason="stop", usage=told)])
    async with engine(storage, llm) as turns:
        ended = await finish(turns, asked("Hi"))
    [settled] = [line for line in await lines_of(storage) if "call" in line]

    assert ended.usage == Usage(input_tokens=10, output_tokens=2, is_estimate=True)
    assert (settled["input"], settled["output"], settled["cost"], settled["estimated"]) == (10, 2, None, True)


@pytest.mark.parametrize("count", [-1, 2**53])
async def test_a_count_of_tokens_that_cannot_be_right_is_estimated(storage: InMemoryStorage, count: int) -> None:
    told = Usage(input_tokens=count, output_tokens=count)
    llm = ScriptedProvider(["Hi", Finished(finish_reason="stop", usage=told)])
    async with engine(storage, llm) as turns:
        ended = await finish(turns, asked("Hi"))

    assert ended.usage is not None
    assert (ended.usage.is_estimate, 0 < ended.usage.output_tokens < 10) == (True, True)
