"""The objects of a bucket, by key."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Literal, NamedTuple

from storage3.types import FileOptions, ListBucketFilesOptions
from supabase import AsyncClient

from idolchat_core.errors import StorageUnavailable
from idolchat_storage_supabase.calls import Calls
from idolchat_storage_supabase.faults import AlreadyThere, BucketNotSeen, NoSuchObject

__all__ = ["Bucket", "Entry"]

log = logging.getLogger(__name__)

PROOF_HOLDS_S = 60.0
_MARKER = "records/idolchat/marker"
_PAGE = 1000


class Entry(NamedTuple):
    """An object, or a folder, in a list; ``version`` changes with every write to the object."""

    name: str
    is_folder: bool
    updated_at: str
    version: str


class Bucket:
    """Reads and writes objects, and is sure before it says that one is not there.

    Supabase hides what a key may not see, so "not found" is believed only of a bucket in which a marker of ours was
    seen with the same key, at most ``PROOF_HOLDS_S`` ago. A bucket is made when none is there at the first call, and
    never after that: one that goes missing later is a fault.
    """

    def __init__(self, client: AsyncClient, name: str, calls: Calls) -> None:
        self._client = client
        self._name = name
        self._objects = client.storage.from_(name)
        self._calls = calls
        self._proving = asyncio.Lock()
        self._proved_at: float | None = None
        self._was_seen = False

    async def read(self, key: str) -> bytes | None:
        """Read an object as it is now; None when it is certain that there is none."""
        await self._ready()
        # A query that was never used before is in no cache between here and the server.
        fresh = {"v": uuid.uuid4().hex}
        try:
            return await self._calls.make(lambda: self._objects.download(key, query_params=fresh))
        except NoSuchObject:
            await self.prove(max_age_s=PROOF_HOLDS_S)
            return None

    async def facts(self, key: str) -> Mapping[str, Any] | None:
        """Read what was written beside an object; None when it is certain that there is no such object."""
        await self._ready()
        try:
            info = await self._calls.make(lambda: self._objects.info(key))
        except NoSuchObject:
            await self.prove(max_age_s=PROOF_HOLDS_S)
            return None
        facts = info.get("metadata")
        return facts if isinstance(facts, dict) else {}

    async def write(self, key: str, data: bytes, *, content_type: str, facts: Mapping[str, Any] | None = None) -> None:
        """Write an object in place of what is there."""
        await self._ready()
        options: FileOptions = {"content-type": content_type, "cache-control": "0", "upsert": "true"}
        if facts is not None:
            options["metadata"] = dict(facts)
        await self._calls.make(lambda: self._objects.upload(key, data, options))

    async def remove(self, key: str) -> None:
        """Remove an object; that there is none is no error."""
        await self._ready()
        if not await self._calls.make(lambda: self._objects.remove([key])):
            # So are a missing bucket and a hidden object answered, too.
            await self.prove(max_age_s=0)

    async def entries(self, folder: str = "") -> AsyncGenerator[Entry]:
        """List what is in a folder, by name; each once, though others add and remove meanwhile."""
        await self._ready()
        offset, last, seen = 0, "", set[str]()
        while True:
            page = await self._page(folder, offset=offset, column="name", order="asc", limit=_PAGE)
            if offset and (not page or page[0].name != last):
                # Some before it were removed: what came after them has moved up.
                offset, last = max(0, offset - _PAGE // 2), page[0].name if page else ""
                page = await self._page(folder, offset=offset, column="name", order="asc", limit=_PAGE)
            for entry in page:
                if entry.name not in seen:
                    seen.add(entry.name)
                    yield entry
            if len(page) < _PAGE:
                break
            offset, last = offset + len(page) - 1, page[-1].name
        if not seen:
            # A bucket that is missing or hidden is listed as an empty one.
            await self.prove(max_age_s=0)

    async def newest(self, count: int) -> list[Entry]:
        """List the objects at the root that were written last, newest first."""
        await self._ready()
        found = await self._page("", offset=0, column="updated_at", order="desc", limit=count)
        if not found:
            await self.prove(max_age_s=0)
        return [entry for entry in found if not entry.is_folder]

    async def prove(self, *, max_age_s: float) -> None:
        """Return when the bucket is there and the key sees what is in it. Raises ``StorageUnavailable``."""
        async with self._proving:
            if self._proved_at is not None and time.monotonic() - self._proved_at < max_age_s:
                return
            self._proved_at = None
            await self._see_bucket()
            await self._see_marker()
            self._was_seen = True
            self._proved_at = time.monotonic()

    async def _ready(self) -> None:
        if self._proved_at is None:
            await self.prove(max_age_s=PROOF_HOLDS_S)

    async def _see_bucket(self) -> None:
        try:
            bucket = await self._calls.make(lambda: self._client.storage.get_bucket(self._name))
        except BucketNotSeen:
            if self._was_seen:
                raise
            await self._create()
            return
        if bucket.public:
            log.warning("the bucket is public: anybody can read the conversations in it", extra={"bucket": self._name})

    async def _create(self) -> None:
        try:
            await self._calls.make(lambda: self._client.storage.create_bucket(self._name, options={"public": False}))
        except AlreadyThere as error:
            # Another instance has just made it; or it is hidden, which the marker will tell.
            log.info("the bucket is there already", extra={"bucket": self._name, "reason": str(error)})
        else:
            log.info("a private bucket was made", extra={"bucket": self._name})

    async def _see_marker(self) -> None:
        if await self._is_marked():
            return
        options: FileOptions = {"content-type": "application/octet-stream", "cache-control": "0", "upsert": "false"}
        try:
            await self._calls.make(lambda: self._objects.upload(_MARKER, b"idolchat\n", options))
        except AlreadyThere as error:
            log.info("the bucket was marked meanwhile", extra={"bucket": self._name, "reason": str(error)})
        if not await self._is_marked():
            raise StorageUnavailable(
                f"SUPABASE_SERVICE_ROLE_KEY may not see what is in bucket {self._name!r}: a policy hides it."
                " It must be the project's secret key, not a publishable, anon or user's one"
            )

    async def _is_marked(self) -> bool:
        try:
            await self._calls.make(lambda: self._objects.info(_MARKER))
        except NoSuchObject:
            return False
        return True

    async def _page(
        self, folder: str, *, offset: int, column: str, order: Literal["asc", "desc"], limit: int
    ) -> list[Entry]:
        asked: ListBucketFilesOptions = {
            "limit": limit,
            "offset": offset,
            "sortBy": {"column": column, "order": order},
        }
        found = await self._calls.make(lambda: self._objects.list(folder, asked))
        return [_entry(item) for item in found]


def _entry(item: Mapping[str, Any]) -> Entry:
    about = item.get("metadata") or {}
    updated_at = str(item.get("updated_at") or "")
    return Entry(str(item["name"]), item.get("id") is None, updated_at, f"{about.get('eTag')} {updated_at}")
