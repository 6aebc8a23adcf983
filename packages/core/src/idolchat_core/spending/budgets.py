"""What may be spent, held against what was: budgets by day and month, rates, and how many turns at once."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from idolchat_core.errors import BudgetExceeded, LimitReached, QueueFull
from idolchat_core.rate_limits import LeakyBuckets, Quota
from idolchat_core.spending.daily_totals import DailyTotals
from idolchat_core.spending.settings import SpendingSettings

__all__ = ["Budgets", "Spender", "Window"]

BUSY_RETRY_S = 1.0
DAY_S = 86400.0


class Spender(NamedTuple):
    """On whose account something is: a user, or the key that was shown where no user was named; ``-`` is nobody."""

    user: str
    address: str | None = None

    @classmethod
    def of(cls, user_id: object, key_id: str | None, address: str | None) -> Spender:
        """Choose the account."""
        return cls(str(user_id) if user_id is not None else f"key:{key_id}" if key_id else "-", address)


@dataclass(slots=True)
class Amount:
    """What was spent."""

    tokens: float = 0
    cost: float = 0.0


@dataclass(slots=True)
class Window:
    """A day or a month, from ``starts_at`` to ``ends_at`` (seconds since 1970), and what was spent in it.

    ``users`` are counted where a budget is each user's own.
    """

    name: str
    starts_at: float
    ends_at: float
    overall: Amount = field(default_factory=Amount)
    users: defaultdict[str, Amount] = field(default_factory=lambda: defaultdict(Amount))
    purposes: defaultdict[str, Amount] = field(default_factory=lambda: defaultdict(Amount))


@dataclass(frozen=True, slots=True)
class _Budget:
    variable: str
    per_user: bool
    is_monthly: bool
    unit: str
    limit: float


class Budgets:
    """Counts and refuses. A turn in flight counts as what turns have taken lately, until it is known."""

    def __init__(
        self,
        settings: SpendingSettings,
        *,
        clock: Callable[[], float] = time.time,
        buckets: Callable[..., LeakyBuckets] = LeakyBuckets,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._budgets = list(_budgets(settings))
        self._counts_users = any(budget.per_user for budget in self._budgets)
        places = (settings.max_turns, settings.user_max_turns, settings.address_max_turns)
        self._limits_places = any(limit is not None for limit in places)
        self._latest = clock()
        self.day, self.month = _day(self._latest), _month(self._latest)
        self.in_flight = 0
        self._of_user: Counter[str] = Counter()
        self._of_address: Counter[str] = Counter()
        self._mean: Amount | None = None
        self._rates = [
            (of, buckets(name, unit="tokens", limit=limit))
            for of, name, limit in (
                ("user", "user-tokens", settings.user_tokens_per_minute),
                ("address", "address-tokens", settings.address_tokens_per_minute),
            )
            if limit
        ]

    def now(self) -> float:
        """Return the time, in seconds since 1970, which never goes backwards here: no budget reopens with the clock."""
        self._latest = max(self._latest, self._clock())
        return self._latest

    def begin_no_earlier(self, at: float) -> None:
        """Count from a time on, though the clock is behind it: something was spent then."""
        self._latest = max(self._latest, at)
        self._turn_over()

    def admit(self, who: Spender) -> None:
        """Count one more in flight. Raises ``QueueFull``, ``LimitReached`` and ``BudgetExceeded``."""
        self._check_places(who)
        self._check_rates(who)
        self._check_budgets(who)
        self.in_flight += 1
        self._of_user[who.user] += 1
        if who.address is not None:
            self._of_address[who.address] += 1

    def admit_background(self, who: Spender, *, purpose: str, daily_tokens: int | None) -> None:
        """Check the budgets for a background call, which is counted when it is over. Raises ``BudgetExceeded``."""
        self._check_budgets(who)
        self._turn_over()
        used = (self.day.purposes.get(purpose) or Amount()).tokens
        if daily_tokens is not None and used >= daily_tokens:
            left_s = max(0.0, self.day.ends_at - self.now())
            raise BudgetExceeded(
                f"the tokens of this day for {purpose!r} are used up: {used:.0f} of {daily_tokens}",
                retry_after_s=left_s,
            )

    def leave(self, who: Spender) -> None:
        """Count one less in flight."""
        self.in_flight -= 1
        for counter, name in ((self._of_user, who.user), (self._of_address, who.address)):
            if name is not None:
                counter[name] -= 1
                if not counter[name]:
                    del counter[name]

    def spend(self, who: Spender, purpose: str, *, at: float, tokens: int, cost: float) -> None:
        """Record what a call took that began at ``at``, or what is to be added to that."""
        self._count(who, purpose, at=at, tokens=tokens, cost=cost)
        now = time.monotonic()
        for of, rate in self._rates:
            key = getattr(who, of)
            if key is not None and tokens > 0:
                rate.add(key, tokens, now)

    def hear(self, user: str, purpose: str, *, at: float, tokens: float, cost: float) -> None:
        """Record what another process has spent."""
        self._count(Spender(user), purpose, at=at, tokens=tokens, cost=cost)

    def take_in(self, book: DailyTotals) -> None:
        """Record what the ledger says of a day."""
        at = datetime.fromisoformat(f"{book.day}T12:00:00+00:00").timestamp()
        for payer, tally in book.sums.items():
            who = Spender.of(payer.user, payer.key, None)
            self._count(who, payer.purpose, at=at, tokens=tally.tokens, cost=tally.cost)
        total = book.total
        if total.calls:
            self.learn(tokens=total.tokens / total.calls, cost=total.cost / total.calls)

    def learn(self, *, tokens: float, cost: float) -> None:
        """Record what a turn took, for those in flight."""
        mean = self._mean
        if mean is None:
            self._mean = Amount(tokens, cost)
        else:
            mean.tokens += 0.1 * (tokens - mean.tokens)
            mean.cost += 0.1 * (cost - mean.cost)

    def quotas(self, user: str | None = None) -> list[Quota]:
        """Return how the budgets stand: those for all, and with ``user`` also theirs."""
        self._turn_over()
        return [self._quota(budget, user or "-") for budget in self._budgets if user is not None or not budget.per_user]

    def _count(self, who: Spender, purpose: str, *, at: float, tokens: float, cost: float) -> None:
        self._turn_over()
        for window in (self.day, self.month):
            if window.starts_at <= at < window.ends_at:
                counted = [window.overall, window.purposes[purpose]]
                if self._counts_users:
                    counted.append(window.users[who.user])
                for amount in counted:
                    amount.tokens += tokens
                    amount.cost += cost

    def _check_places(self, who: Spender) -> None:
        settings = self._settings
        if not self._limits_places:
            return
        for taken, limit, whose, variable in (
            (self.in_flight, settings.max_turns, "", "IDOLCHAT_MAX_TURNS"),
            (self._of_user[who.user], settings.user_max_turns, " of this user", "IDOLCHAT_USER_MAX_TURNS"),
            (
                self._of_address[who.address] if who.address is not None else 0,
                settings.address_max_turns,
                " from this address",
                "IDOLCHAT_ADDRESS_MAX_TURNS",
            ),
        ):
            if limit is not None and taken >= limit:
                raise QueueFull(
                    f"{taken} turns{whose} run or wait already, which is the most ({variable}); send again when one"
                    " has ended",
                    retry_after_s=BUSY_RETRY_S,
                )

    def _check_rates(self, who: Spender) -> None:
        now = time.monotonic()
        for of, rate in self._rates:
            key = getattr(who, of)
            if key is None:
                continue
            flying = (self._of_user if of == "user" else self._of_address)[key]
            wait_s = rate.room_in_s(key, 1 + flying * (self._mean.tokens if self._mean else 0), now)
            if wait_s:
                raise LimitReached(
                    f"this {of} has used {rate.limit:g} tokens a minute (IDOLCHAT_{of.upper()}_TOKENS_PER_MINUTE);"
                    f" send again in {wait_s:.0f} s",
                    retry_after_s=max(wait_s, BUSY_RETRY_S),
                    quotas=[rate.quota(key, now)],
                )

    def _check_budgets(self, who: Spender) -> None:
        if not self._budgets:
            return
        self._turn_over()
        for budget in self._budgets:
            used, flying = self._used(budget, who.user)
            if used + flying < budget.limit:
                continue
            quota = self._quota(budget, who.user)
            whose = "this user's budget" if budget.per_user else "the budget"
            what = "tokens" if budget.unit == "tokens" else "cost"
            if used < budget.limit:
                message = f"what runs now may use up {whose} of {what} ({budget.variable}); send again in a moment"
                retry_after_s = BUSY_RETRY_S
            else:
                period = "month" if budget.is_monthly else "day"
                message = f"{whose} of {what} for this {period} is used up ({budget.variable})"
                retry_after_s = quota.reset_s
            raise BudgetExceeded(message, retry_after_s=retry_after_s, quotas=[quota])

    def _used(self, budget: _Budget, user: str) -> tuple[float, float]:
        window = self.month if budget.is_monthly else self.day
        amount = (window.users.get(user) or Amount()) if budget.per_user else window.overall
        count = self._of_user[user] if budget.per_user else self.in_flight
        mean = self._mean or Amount()
        return getattr(amount, budget.unit), count * getattr(mean, budget.unit)

    def _quota(self, budget: _Budget, user: str) -> Quota:
        window = self.month if budget.is_monthly else self.day
        used, _ = self._used(budget, user)
        name = f"{budget.unit}-{window.name}"
        return Quota(
            name=f"user-{name}" if budget.per_user else name,
            unit=budget.unit,
            limit=budget.limit,
            window_s=window.ends_at - window.starts_at,
            remaining=max(0.0, budget.limit - used),
            reset_s=max(0.0, window.ends_at - self.now()),
        )

    def _turn_over(self) -> None:
        now = self.now()
        if not self.day.starts_at <= now < self.day.ends_at:
            self.day = _day(now)
        if not self.month.starts_at <= now < self.month.ends_at:
            self.month = _month(now)


def _budgets(settings: SpendingSettings) -> Iterator[_Budget]:
    for scope in ("", "user_"):
        for period in ("daily", "monthly"):
            for unit in ("tokens", "cost"):
                name = f"{scope}budget_{period}_{unit}"
                limit = getattr(settings, name)
                if limit is not None:
                    yield _Budget(f"IDOLCHAT_{name.upper()}", bool(scope), period == "monthly", unit, limit)


def _day(now: float) -> Window:
    start = now // DAY_S * DAY_S
    return Window("day", start, start + DAY_S)


def _month(now: float) -> Window:
    start = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return Window("month", start.timestamp(), following.timestamp())
