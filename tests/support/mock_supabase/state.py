"""What the stand-in holds, and what it is told to do."""

import asyncio
import hashlib
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

__all__ = ["Fault", "State", "StoredObject", "now"]


class Fault(StrEnum):
    """How a call ends instead of well."""

    ERROR = "500 of the service itself"
    HTML = "503 of something before the service, as HTML"
    THROTTLED = "429"
    RESET = "the connection is reset before the call is looked at"
    RESET_AFTER = "the call is done, and the connection is reset before the answer"


_COLUMN_TYPES = {
    "id": "uuid",
    "user_id": "text",
    "character_id": "text",
    "updated_at": "timestamptz",
    "created_at": "timestamptz",
    "message_count": "bigint",
    "status": "text",
    "written_at": "timestamptz",
    "character_ids": "text[]",
}


def now() -> datetime:
    """Tell the time as the database does."""
    return datetime.now(UTC)


@dataclass(slots=True)
class StoredObject:
    """An object and what is known of it."""

    data: bytes
    content_type: str
    cache_control: str
    metadata: dict[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    version: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)

    @property
    def etag(self) -> str:
        """The entity tag, with its quotes."""
        return f'"{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}"'


@dataclass(slots=True)
class State:
    """Everything there is, shared between the server's thread and the test's."""

    buckets: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[tuple[str, str], StoredObject] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] | None = field(default_factory=dict)
    column_types: dict[str, str] = field(default_factory=lambda: dict(_COLUMN_TYPES))
    is_hidden: bool = False
    serves_stale: bool = False
    max_bytes: int = 50 * 1024 * 1024
    max_rows: int = 1000
    answers_after_s: float = 0.0
    always: Fault | None = None
    next_faults: list[tuple[str, Fault]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    uploads: Counter[str] = field(default_factory=Counter)
    uploaded_bytes: int = 0
    holds: threading.Event | None = None
    cached: dict[str, tuple[dict[str, str], bytes]] = field(default_factory=dict)

    def add_bucket(
        self,
        name: str,
        *,
        is_public: bool = False,
        file_size_limit: int | None = None,
        allowed_mime_types: list[str] | None = None,
    ) -> None:
        """Make a bucket."""
        made_at = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.buckets[name] = {
            "id": name,
            "name": name,
            "owner": "",
            "public": is_public,
            "file_size_limit": file_size_limit,
            "allowed_mime_types": allowed_mime_types,
            "created_at": made_at,
            "updated_at": made_at,
        }

    def remove_columns(self, *names: str) -> None:
        """Have a table that lacks these."""
        for name in names:
            del self.column_types[name]

    def fault_of(self, call: str) -> Fault | None:
        """Return how a call ends; ``call`` is a method and a path below ``/v1``."""
        for number, (wanted, fault) in enumerate(self.next_faults):
            if call.startswith(wanted):
                del self.next_faults[number]
                return fault
        return self.always

    def keys(self, bucket: str) -> Iterator[tuple[str, StoredObject]]:
        """Return the objects of a bucket by name."""
        for (place, key), stored in sorted(self.objects.items()):
            if place == bucket:
                yield key, stored

    async def held(self) -> None:
        """Wait while calls are to be slow."""
        while self.holds is not None and not self.holds.is_set():  # noqa: ASYNC110  set in another thread
            await asyncio.sleep(0.01)
