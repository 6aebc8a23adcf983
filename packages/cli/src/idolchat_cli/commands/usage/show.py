"""``idol usage show``."""

from __future__ import annotations

import asyncio
from calendar import monthrange
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated

import typer
from pydantic import Field
from rich.text import Text

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson, parse_id
from idolchat_cli.render import cell, on_stdout, print_json, show, table
from idolchat_cli.results import Result
from idolchat_cli.usage import WrongUsage
from idolchat_core.rate_limits import Quota
from idolchat_core.spending.daily_totals import Tally
from idolchat_core.spending.kill_switch import Stop, read_stop
from idolchat_core.spending.report import By, added_up, budgets_of, read_days

__all__ = ["RESULT", "app", "show_usage"]


class Spent(Result):
    """Sums over calls of providers; costs are in the provider's currency, of those calls whose cost is known."""

    calls: int
    cancelled: int = Field(description="of the calls, those that somebody stopped")
    estimated: int = Field(description="of the calls, those whose figures are ours, because the provider did not tell")
    input_tokens: int
    output_tokens: int
    cost: float


class Row(Spent):
    """The sums of one day, user, model, key or purpose; ``name`` is null where the calls had none."""

    name: str | None


class Budget(Result):
    """A budget of those that are set."""

    name: str
    unit: str
    limit: float
    remaining: float
    resets_in_s: float


class UsageReport(Result):
    """What was spent in a month."""

    month: str
    by: By
    rows: list[Row]
    total: Spent
    unsettled: int = Field(description="calls that run now, or that a crash left, to be settled at the next start")
    budgets: list[Budget] = Field(description="those for all, and with --user also those for a user; as of now")
    stopped: Stop | None = Field(description="since when and why spending is stopped")


RESULT = UsageReport

app = new_app()


@app.command(
    "show",
    epilog=examples(
        "idol usage show", "idol usage show --by user --month 2026-11", "idol usage show --json | jq .total.cost"
    ),
)
def show_usage(
    by: Annotated[By, typer.Option(help="What to keep apart.")] = By.DAY,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="Which month; this one if not given.")] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", parser=parse_id, help="Only what this user spent.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was spent, and what is left of the budgets.

    Days and months are UTC. A server may run; what it spends is there within a moment.
    """
    report = asyncio.run(_reported(by, _first_of(month), user))
    if as_json:
        print_json(report)
    else:
        _show(report)


def _first_of(month: str | None) -> date:
    if month is None:
        return datetime.now(UTC).date().replace(day=1)
    try:
        return datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        raise WrongUsage(f"--month must be a month such as 2026-11, not {month!r}") from None


def _days(first: date) -> tuple[date, date]:
    return first, first.replace(day=monthrange(first.year, first.month)[1])


async def _reported(by: By, first: date, user: str | None) -> UsageReport:
    current = _first_of(None)
    async with open_conversations() as opened:
        books = await read_days(opened.storage, *_days(first))
        month = books if first == current else await read_days(opened.storage, *_days(current))
        stopped = await read_stop(opened.storage)
        budgets = budgets_of(opened.settings, month).quotas(user)
    sums = added_up(books, by, user=user)
    total = Tally()
    for tally in sums.values():
        total.add(tally)
    names = sorted(sums, key=lambda name: name or "")
    if by is not By.DAY:
        names.sort(key=lambda name: -sums[name].cost)
    return UsageReport(
        month=f"{first:%Y-%m}",
        by=by,
        rows=[Row(name=name, **asdict(sums[name])) for name in names],
        total=Spent(**asdict(total)),
        unsettled=sum(len(book.opened) for book in books),
        budgets=[_budget(quota) for quota in budgets],
        stopped=stopped,
    )


def _budget(quota: Quota) -> Budget:
    return Budget(
        name=quota.name,
        unit=quota.unit,
        limit=quota.limit,
        remaining=quota.remaining,
        resets_in_s=round(quota.reset_s),
    )


def _show(report: UsageReport) -> None:
    console = on_stdout()
    if report.stopped is not None:
        why = f": {report.stopped.reason}" if report.stopped.reason else ""
        console.print(cell(f"Stopped since {report.stopped.since:%Y-%m-%d %H:%M} UTC{why}", "bold red"))
    rows = [_cells(row.name or "-", row) for row in report.rows] + [_cells("total", report.total)]
    headings = ("CALLS", "STOPPED", "ESTIMATED", "TOKENS IN", "TOKENS OUT", "COST")
    show(console, table(report.by.upper(), *headings, rows=rows))
    if report.unsettled:
        console.print(f"{report.unsettled} calls run now, or are to be settled at the next start of a server")
    for budget in report.budgets:
        amounts = f"{_amount(budget.unit, budget.remaining)} of {_amount(budget.unit, budget.limit)}"
        console.print(cell(f"Budget {budget.name}: {amounts} left, anew in {_duration(budget.resets_in_s)}"))


def _cells(name: str, spent: Spent) -> list[Text]:
    counts = (spent.calls, spent.cancelled, spent.estimated, spent.input_tokens, spent.output_tokens)
    return [cell(name), *(cell(f"{count:,}") for count in counts), cell(f"{spent.cost:,.4f}")]


def _amount(unit: str, amount: float) -> str:
    return f"{amount:,.4f}" if unit == "cost" else f"{amount:,.0f} {unit}"


def _duration(seconds: float) -> str:
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"
