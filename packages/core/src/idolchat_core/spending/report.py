"""What the ledger says of a span of days, added up as asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum

from idolchat_core.spending.budgets import Budgets
from idolchat_core.spending.daily_totals import DailyTotals, Payer, Tally, read_day
from idolchat_core.spending.ledger_lines import NAMESPACE
from idolchat_core.spending.settings import SpendingSettings
from idolchat_core.storage.contract import Storage

__all__ = ["By", "added_up", "budgets_of", "read_days"]


class By(StrEnum):
    """What sums are kept apart by."""

    DAY = "day"
    USER = "user"
    MODEL = "model"
    KEY = "key"
    PURPOSE = "purpose"


async def read_days(storage: Storage, since: date, until: date) -> list[DailyTotals]:
    """Read the days from ``since`` to ``until``, both included, oldest first. Raises ``StorageUnavailable``."""
    days = [day for day in await storage.list_logs(NAMESPACE) if since.isoformat() <= day <= until.isoformat()]
    return [(await read_day(storage, day))[0] for day in days]


def added_up(books: Iterable[DailyTotals], by: By, *, user: str | None = None) -> dict[str | None, Tally]:
    """Add up, for one user or for all; what is named by nothing stands under None."""
    sums: dict[str | None, Tally] = {}
    for book in books:
        for payer, tally in book.sums.items():
            if user is None or payer.user == user:
                sums.setdefault(_name(book, payer, by), Tally()).add(tally)
    return sums


def budgets_of(settings: SpendingSettings, month: Sequence[DailyTotals]) -> Budgets:
    """Compare the budgets with the days of this month."""
    budgets = Budgets(settings)
    for book in month:
        budgets.take_in(book)
    return budgets


def _name(book: DailyTotals, payer: Payer, by: By) -> str | None:
    return book.day if by is By.DAY else getattr(payer, by)
