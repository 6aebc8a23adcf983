"""The ledger: every paid call, written down before it is made and when it is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic_core import from_json

from idolchat_core.background_tasks import BackgroundTasks
from idolchat_core.errors import SpendingStopped, StorageError
from idolchat_core.llm.contract import LLMProvider
from idolchat_core.models import Usage
from idolchat_core.rate_limits import LeakyBuckets
from idolchat_core.spending.budgets import Budgets, Spender
from idolchat_core.spending.daily_totals import DailyTotals, read_day
from idolchat_core.spending.kill_switch import Stop, read_stop
from idolchat_core.spending.ledger_lines import NAMESPACE, CallFacts, named
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.spending.price_estimates import Prices
from idolchat_core.spending.reconciliation import Reconciler
from idolchat_core.spending.settings import SpendingSettings
from idolchat_core.storage.contract import Storage

__all__ = ["Ledger"]

log = logging.getLogger(__name__)

WRITE_AFTER_S = 0.2
"""How long what can be told from the documents after a crash may be kept in memory, to be written with other lines."""
WRITE_FAR_AFTER_S = 10.0
"""The same for a storage that is far: lines of a turn then go with those of the next."""
WATCH_EVERY_S = 1.0
CLOCK_MAY_BE_BEHIND = timedelta(days=2)
ROLL_UP_BYTES = 1024 * 1024
"""Of a day's log that a start may have to read."""


type Share = Callable[
    [str, Callable[[Mapping[str, Sequence[float]]], None]], Callable[[str, Sequence[float]], None] | None
]
"""As ``Counters.share``."""


class Ledger:
    """Admits paid calls and writes them down, in logs of the storage, one a UTC day.

    What other processes spend counts as it is heard of by ``share``; those that started before are in the logs.
    """

    def __init__(
        self,
        storage: Storage,
        llm: LLMProvider,
        *,
        settings: SpendingSettings,
        buckets: Callable[..., LeakyBuckets] = LeakyBuckets,
        share: Share = lambda _name, _hear: None,
    ) -> None:
        self.budgets = Budgets(settings, buckets=buckets)
        self._tell = share("spent", self._hear)
        self.stop: Stop | None = None
        self._storage = storage
        self._write_after_s = WRITE_FAR_AFTER_S if storage.is_far else WRITE_AFTER_S
        self._prices = Prices()
        self._reconciler = Reconciler(llm, self._corrected)
        self._unwritten: dict[str, list[bytes]] = {}
        self._unnamed: dict[UUID | str, tuple[CallFacts, str]] = {}
        self._writing_later: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._background = BackgroundTasks()
        self._grown_bytes: dict[str, int] = {}
        self._rolling_up: set[str] = set()

    @property
    def failing(self) -> Mapping[str, str]:
        """The background tasks that do not do their work now, each with what is wrong."""
        return self._background.failing

    async def load(self) -> list[DailyTotals]:
        """Read the days of this month, which ``start`` takes; see ``recovery`` for what a crash has left in them.

        A storage that cannot be read leaves the budgets as if nothing had been spent, and is told of.
        """
        books: list[DailyTotals] = []
        try:
            books = await self.read_days()
            self.stop = await read_stop(self._storage)
        except StorageError as error:
            log.error("what was spent before cannot be read", extra={"code": error.code})
        for book in books:
            for payer, tally in book.sums.items():
                self._prices.learn(payer.model, tokens=tally.tokens, cost=tally.cost)
        return books

    async def read_days(self) -> list[DailyTotals]:
        """Read the days of this month, and yesterday. Raises ``StorageUnavailable``."""
        books = []
        days = await self._storage.list_logs(NAMESPACE)
        now = self._no_earlier_than(days)
        since = min(now.replace(day=1), now - timedelta(days=1)).strftime("%Y-%m-%d")
        for day in days:
            if since <= day <= now.strftime("%Y-%m-%d"):
                book, self._grown_bytes[day] = await read_day(self._storage, day)
                books.append(book)
        return books

    def _no_earlier_than(self, days: Sequence[str]) -> datetime:
        """Return the time, no earlier than the newest day of the ledger: the clock may have been set back since.

        A day that is more than two days ahead is not believed: the clock was wrong when it was written.
        """
        now = datetime.fromtimestamp(self.budgets.now(), UTC)
        newest = max((day for day in days if day <= (now + CLOCK_MAY_BE_BEHIND).strftime("%Y-%m-%d")), default="")
        if newest > now.strftime("%Y-%m-%d"):
            log.warning("the clock is behind the newest day of the ledger, whose budgets go on", extra={"day": newest})
            self.budgets.begin_no_earlier(datetime.fromisoformat(f"{newest}T00:00:00+00:00").timestamp())
            return datetime.fromtimestamp(self.budgets.now(), UTC)
        return now

    def start(self, books: Sequence[DailyTotals]) -> None:
        """Count what was spent, watch the stop switch, and ask the provider for what is not known for sure."""
        for book in books:
            self.budgets.take_in(book)
            if self._grown_bytes.get(book.day, 0) > ROLL_UP_BYTES / 4:
                self._spawn(self._roll_up(book.day))
            for line in book.unsure.values():
                self._reconciler.add(line)
        self._background.start("ledger", self._watch)

    async def close(self) -> None:
        """Write what is left, and stop."""
        self._reconciler.close()
        await self._background.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._cancel_timer()
        await self._write_all(durable=True)

    def admit(self, *, user_id: object, key_id: str | None, address: str | None, purpose: str) -> MeteredCall:
        """Admit a call, or refuse it before anything is stored or asked.

        Raises ``SpendingStopped``, ``BudgetExceeded``, ``LimitReached`` and ``QueueFull``.
        """
        self.check_stopped()
        who = Spender.of(user_id, key_id, address)
        self.budgets.admit(who)
        return MeteredCall(self, who, purpose=purpose, key_id=key_id)

    def admit_background(self, *, user_id: object, purpose: str, daily_tokens: int | None = None) -> MeteredCall:
        """Admit a call that belongs to no turn; its purpose may use ``daily_tokens`` tokens in a UTC day.

        Raises ``SpendingStopped`` and ``BudgetExceeded``.
        """
        self.check_stopped()
        who = Spender.of(user_id, None, None)
        self.budgets.admit_background(who, purpose=purpose, daily_tokens=daily_tokens)
        return MeteredCall(self, who, purpose=purpose, key_id=None, takes_place=False)

    def check_stopped(self) -> None:
        """Raise ``SpendingStopped`` when the switch says so."""
        if self.stop is not None:
            why = f": {self.stop.reason}" if self.stop.reason else ""
            raise SpendingStopped(
                f"all spending was stopped at {self.stop.since:%Y-%m-%d %H:%M} UTC{why}; no model is asked until"
                " `idol usage resume`"
            )

    async def look(self) -> None:
        """Read whether spending is stopped. Raises ``StorageUnavailable``."""
        self.stop = await read_stop(self._storage)

    def priced(self, usage: Usage, model: str | None) -> Usage:
        """Estimate the cost of an estimate, by what the model cost before."""
        return self._prices.priced(usage, model)

    def append(self, day: str, lines: bytes, *, durable: bool = True) -> Awaitable[None]:
        """Write lines; see ``Storage.append_log``."""
        self._grown_bytes[day] = grown = self._grown_bytes.get(day, 0) + len(lines)
        if grown > ROLL_UP_BYTES and day not in self._rolling_up:
            self._grown_bytes[day] = 0
            self._spawn(self._roll_up(day))
        return self._storage.append_log(NAMESPACE, day, lines, durable=durable)

    def note(self, day: str, line: bytes) -> None:
        """Write something within a moment."""
        if line:
            self._unwritten.setdefault(day, []).append(line)
            self._write_later()

    def note_name(self, facts: CallFacts, completion_id: str) -> None:
        """Write a call's name within a moment, unless it is settled by then."""
        self._unnamed[facts.call_id] = (facts, completion_id)
        self._write_later()

    def take_unwritten(self, day: str) -> bytes:
        """Return and forget the unwritten lines of a day, which the caller writes together with something else."""
        return b"".join(self._unwritten.pop(day, ())) if self._unwritten else b""

    def settle(self, call: MeteredCall, line: bytes, usage: Usage) -> None:
        """Record a call that is over."""
        facts = call.facts
        if facts is None:
            raise AssertionError("a call that is settled was opened")
        tokens, cost = usage.input_tokens + usage.output_tokens, usage.cost or 0.0
        self.leave(call)
        self.budgets.spend(call.who, call.purpose, at=facts.at.timestamp(), tokens=tokens, cost=cost)
        if self._tell is not None:
            self._tell(_account(facts, call.who), (tokens, cost))
        if call.takes_place:
            self.budgets.learn(tokens=tokens, cost=cost)
        self._unnamed.pop(facts.call_id, None)
        self.note(facts.log, line)
        if usage.is_estimate and call.completion_id is not None:
            self._reconciler.add_line(line)

    def adopt(self, line: bytes) -> None:
        """Count a call of a process that died, by the line that settled it here, and ask what it took."""
        found = from_json(line)
        if "call" in found:
            self._count(CallFacts.read(found), tokens=found["input"] + found["output"], cost=found["cost"] or 0.0)
            if found["estimated"] and found["completion"] is not None:
                self._reconciler.add(found)

    def leave(self, call: MeteredCall) -> None:
        """Count a call as in flight no more."""
        if call.takes_place:
            self.budgets.leave(call.who)

    def _corrected(self, line: dict[str, Any], correction: bytes, usage: Usage | None) -> None:
        """Write what the provider has reported about a call after all, or that it will not."""
        facts = CallFacts.read(line)
        self.note(facts.log, correction)
        if usage is not None:
            tokens = usage.input_tokens + usage.output_tokens - line["input"] - line["output"]
            self._count(facts, tokens=tokens, cost=(usage.cost or 0.0) - (line["cost"] or 0.0))

    def _count(self, facts: CallFacts, *, tokens: int, cost: float) -> None:
        """Count what a call took that is not in flight here."""
        who = Spender.of(facts.user_id, facts.key_id, None)
        self.budgets.spend(who, facts.purpose, at=facts.at.timestamp(), tokens=tokens, cost=cost)
        if self._tell is not None:
            self._tell(_account(facts, who), (tokens, cost))

    def _hear(self, sums: Mapping[str, Sequence[float]]) -> None:
        for account, (tokens, cost) in sums.items():
            day, purpose, user = account.split("\n", 2)
            at = datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()
            self.budgets.hear(user, purpose, at=at, tokens=tokens, cost=cost)

    def _write_later(self) -> None:
        if self._writing_later is None:
            self._writing_later = asyncio.get_running_loop().call_later(self._write_after_s, self._write_now)

    def _write_now(self) -> None:
        self._writing_later = None
        self._spawn(self._write_all(durable=False))

    def _cancel_timer(self) -> None:
        if self._writing_later is not None:
            self._writing_later.cancel()
            self._writing_later = None

    async def _write_all(self, *, durable: bool) -> None:
        for facts, completion_id in self._unnamed.values():
            self._unwritten.setdefault(facts.log, []).append(named(facts.call_id, completion_id))
        self._unnamed.clear()
        for day in list(self._unwritten):
            lines = self.take_unwritten(day)
            try:
                await self.append(day, lines, durable=durable)
            except StorageError as error:
                log.warning("what was spent cannot be written yet", extra={"code": error.code})
                self._unwritten.setdefault(day, []).insert(0, lines)
            except asyncio.CancelledError:
                self._unwritten.setdefault(day, []).insert(0, lines)
                raise

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            with suppress(StorageError):  # as it was, until it can be read again
                await self.look()
            if self._unwritten:
                self._write_later()

    async def _roll_up(self, day: str) -> None:
        self._rolling_up.add(day)
        try:
            book, _ = await read_day(self._storage, day)
            await self._storage.put_record(NAMESPACE, day, book.encode(), durable=False)
        except StorageError as error:
            log.warning("the sums of a day cannot be written", extra={"code": error.code, "day": day})
        finally:
            self._rolling_up.discard(day)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _account(facts: CallFacts, who: Spender) -> str:
    return f"{facts.log}\n{facts.purpose}\n{who.user}"
