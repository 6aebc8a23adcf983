"""The time in an id."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

__all__ = ["made_at"]


def made_at(made: UUID) -> datetime | None:
    """Return when a UUIDv7 was made, to the millisecond (RFC 9562, section 5.7); None for one of another version."""
    return datetime.fromtimestamp((made.int >> 80) / 1000, UTC) if made.version == 7 else None
