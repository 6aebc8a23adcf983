"""The switch that stops all spending, kept in the storage so that a running server sees it too."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from idolchat_core.models import UtcTime, utc_now
from idolchat_core.spending.ledger_lines import NAMESPACE
from idolchat_core.storage.contract import Storage

__all__ = ["Stop", "read_stop", "resume_spending", "stop_spending"]

_NAME = "stop"


class Stop(BaseModel):
    """Since when, and why."""

    model_config = ConfigDict(frozen=True)

    since: UtcTime
    reason: str | None = None


async def read_stop(storage: Storage) -> Stop | None:
    """Return whether spending is stopped. Raises ``StorageUnavailable``."""
    value = await storage.get_record(NAMESPACE, _NAME)
    if value is None:
        return None
    try:
        return Stop.model_validate_json(value)
    except ValidationError:  # whoever wrote it meant to stop
        return Stop(since=datetime.fromtimestamp(0, UTC))


async def stop_spending(storage: Storage, reason: str | None = None) -> Stop:
    """Stop it; what was stopped before stays as it was."""
    before = await read_stop(storage)
    if before is not None:
        return before
    stop = Stop(since=utc_now(), reason=reason)
    await storage.put_record(NAMESPACE, _NAME, stop.model_dump_json().encode())
    return stop


async def resume_spending(storage: Storage) -> None:
    """Remove the stop. Raises ``StorageUnavailable``."""
    await storage.delete_record(NAMESPACE, _NAME)
