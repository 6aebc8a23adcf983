"""Which conversations a command is about: options, and how they choose."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from idolchat_cli.durations import parse_duration
from idolchat_cli.options import parse_id
from idolchat_core.models import ConversationSummary, utc_now
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.fallbacks import summaries
from idolchat_core.storage.filters import ConversationFilter

__all__ = ["Character", "Filters", "Since", "State", "Status", "Until", "User", "parse_time"]


class State(StrEnum):
    """How a conversation stands in its storage."""

    OK = "ok"
    DAMAGED = "damaged"


def parse_time(text: str | datetime) -> datetime:
    """Read a time: ISO 8601, UTC where it names no zone, or how long ago: ``30min``, ``12h``, ``7d``, ``2w``."""
    if isinstance(text, datetime):
        return text
    with suppress(typer.BadParameter):
        return utc_now() - parse_duration(text)
    try:
        time = datetime.fromisoformat(text.strip())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # the first or last day of the calendar, which is another in UTC
        raise typer.BadParameter(
            f"{text!r} is no time; write 2026-05-31, 2026-05-31T18:00+02:00, or 12h, 7d, 2w for so long ago"
        ) from None


User = Annotated[str | None, typer.Option("--user", metavar="ID", parser=parse_id, help="Only of this user.")]
Character = Annotated[
    str | None,
    typer.Option("--character", metavar="ID", parser=parse_id, help="Only with this character; its id, not its slug."),
]
Since = Annotated[
    datetime | None,
    typer.Option("--since", metavar="TIME", parser=parse_time, help="Only what changed at this time or later."),
]
Until = Annotated[
    datetime | None, typer.Option("--until", metavar="TIME", parser=parse_time, help="Only what changed before.")
]
Status = Annotated[State | None, typer.Option("--status", help="Only those that stand so.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the options say; None does not limit."""

    user: str | None = None
    character: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: State | None = None

    @property
    def is_limited(self) -> bool:
        """Whether anything limits them."""
        return any(getattr(self, name) is not None for name in ("user", "character", "since", "until", "status"))

    def for_storage(self) -> ConversationFilter:
        """Return the filter that storages know; ``status`` is not in it."""
        return ConversationFilter(user_id=self.user, character_id=self.character, since=self.since, until=self.until)

    def takes(self, summary: ConversationSummary) -> bool:
        """Return whether one that the storage lists for them has the wanted status."""
        return self.status is None or summary.status == self.status

    async def choose(self, storage: Storage) -> Collection[UUID]:
        """List the ids of all there are, none twice; one that changes meanwhile is not missed."""
        if not self.is_limited:
            return await storage.list_ids()
        begun_at = utc_now()
        wanted = self.for_storage()
        found = [summary.id async for summary in summaries(storage, wanted) if self.takes(summary)]
        if self.until is not None and self.until <= begun_at:
            return found
        # What changed while this went from new to old went up, to where this had been.
        again = replace(wanted, since=max(begun_at, self.since or begun_at))
        known = set(found)
        found += [s.id async for s in summaries(storage, again) if self.takes(s) and s.id not in known]
        return found
