"""``GET /usage``: what was spent at providers, day by day."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from idolchat_api.app_state import CurrentCaller
from idolchat_api.http import openapi_examples
from idolchat_api.http.openapi import errors, example
from idolchat_core.errors import InvalidRequest, StorageUnavailable
from idolchat_core.spending.report import By, added_up, read_days

__all__ = ["routes"]

DEFAULT_DAYS = 30
MAX_DAYS = 92

router = APIRouter(tags=["usage"])


class DayUsage(BaseModel):
    """Sums over the calls of one UTC day.

    ``cost`` is in the provider's currency, of the calls whose cost is known. ``cancelled`` are calls that somebody
    stopped, ``estimated`` those whose figures are ours because the provider did not tell.
    """

    model_config = ConfigDict(frozen=True)

    day: date
    calls: int
    cancelled: int
    estimated: int
    input_tokens: int
    output_tokens: int
    cost: float


class UsageReport(BaseModel):
    """The days from ``since`` to ``until``, both included, on which a model was asked, oldest first."""

    model_config = ConfigDict(frozen=True)

    since: date
    until: date
    data: tuple[DayUsage, ...]


@router.get("/usage", responses=example(openapi_examples.USAGE) | errors(StorageUnavailable))
async def read_usage(
    caller: CurrentCaller,
    since: Annotated[date | None, Query(description=f"First day; by default {DEFAULT_DAYS} days are told.")] = None,
    until: Annotated[date | None, Query(description="Last day, in UTC; by default today.")] = None,
    user_id: Annotated[UUID | None, Query(description="Whose; without it, a back end is told of all.")] = None,
) -> UsageReport:
    """Report what was spent on each UTC day; a user is told of their own.

    What is being answered now is there within a moment of its end.
    """
    until = until or datetime.now(UTC).date()
    since = since or until - timedelta(days=DEFAULT_DAYS - 1)
    if not 0 <= (until - since).days < MAX_DAYS:
        raise InvalidRequest(f"since: must be before `until`, by less than {MAX_DAYS} days", param="since")
    user = caller.reading(user_id)
    sums = added_up(await read_days(caller.service.storage, since, until), By.DAY, user=str(user) if user else None)
    days = tuple(DayUsage(day=date.fromisoformat(day), **asdict(tally)) for day, tally in sums.items() if day)
    return UsageReport(since=since, until=until, data=days)


routes = router.routes
