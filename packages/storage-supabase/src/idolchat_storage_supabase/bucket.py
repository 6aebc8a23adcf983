"""The objects of a bucket, by key."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from storage3.types import FileOptions, ListBucketFilesOptions
from supabase import AsyncClient

from idolchat_core import StorageUnavailable
from idolchat_storage_supabase.errors import AlreadyThere, BucketNotSeen, NoSuchObject
from idolchat_storage_supabase.retries import RetriedCalls
from idolchat_storage_supabase.uploads import Uploads

__all__ = ["Bucket", "Entry"]

log = logging.getLogger(__name__)

PROOF_HOLDS_S = 60.0
_MARKER = "records/idolchat/marker"
_PAGE = 1000


class Entry(NamedTuple):
    """An object, or a folder, in a list; ``version`` changes with every write to the object.

    ``updated_at`` is the server's time of the last write; None for a folder.
    """

    name: str
    is_folder: bool
    updated_at: datetime | None
    version: str


class Bucket:
    """Reads and writes objects, and is sure before it says that one is not there.

    Supabase hides what a key may not see, so "not found" is believed only of a bucket in which a marker of ours was
    seen with the same key, at most ``PROOF_HOLDS_S`` ago. A bucket is made when none is there at the first call, and
    never after that: one that goes missing later is a fault. With ``only_writes_make`` a call that reads makes neither
    the bucket nor the marker.
    """

    def __init__(
        self, client: AsyncClient, name: str, calls: RetriedCalls, *, uploads: Uploads, only_writes_make: bool = False
    ) -> None:
        self._client = client
        self._uploads = uploads
        self._name = name
        self._only_writes_make = only_writes_make
        self._objects = client.storage.from_(name)
        self._calls = calls
        self._proving = asyncio.Lock()
        self._proved_at: float | None = None
        self._was_seen = False

    async def read(self, key: str) -> bytes | None:
        """Read an object as it is now; None when it is certain that there is none."""
        await self.ready()
        # A query that was never used before is in no cache between here and the server.
        fresh = {"v": uuid.uuid4().hex}
        try:
            return await self._looked(lambda: self._objects.download(key, query_params=fresh))
        except NoSuchObject:
            await self.prove(max_age_s=PROOF_HOLDS_S)
            return None

    async def facts(self, key: str) -> Mapping[str, Any] | None:
        """Read what was written beside an object; None when it is certain that there is no such object."""
        await self.ready()
        try:
            info = await self._looked(lambda: self._objects.info(key))
        except NoSuchObject:
            await self.prove(max_age_s=PROOF_HOLDS_S)
            return None
        facts = info.get("metadata")
        return facts if isinstance(facts, dict) else {}

    async def write(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str,
        facts: Mapping[str, Any] | None = None,
        only_if_new: bool = False,
    ) -> None:
        """Write an object in place of what is there; with ``only_if_new``, raise ``AlreadyThere`` where something is.

        That is looked up before the object is stored: of two writers at the same moment, both may have come first.
        """
        await self.ready(writes=True)
        upsert = not only_if_new
        if data:
            send = self._uploads.send
            await self._calls.make(lambda: send(key, data, content_type=content_type, facts=facts, upsert=upsert))
        else:
            options = _options(content_type, upsert=upsert)
            await self._calls.make(lambda: self._objects.upload(key, data, options))

    async def remove(self, *keys: str) -> None:
        """Remove objects, all or none; that there is none is no error."""
        await self.ready()
        if not await self._calls.make(lambda: self._objects.remove(list(keys))):
            # So are a missing bucket and a hidden object answered, too.
            await self.prove(max_age_s=0)

    async def entries(self, folder: str = "", *, proof_age_s: float = 0) -> AsyncGenerator[Entry]:
        """List what is in a folder, by name; each once, though others add and remove meanwhile.

        That it is empty is believed where the bucket was seen at most ``proof_age_s`` ago.
        """
        await self.ready()
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
            await self.prove(max_age_s=proof_age_s)

    async def newest(self) -> AsyncGenerator[Entry]:
        """List the objects at the root, newest write first; each once, though others write meanwhile."""
        await self.ready()
        offset, seen, is_empty = 0, set[str](), True
        while True:
            # The folders come before all objects, in either order, and take places in a page.
            page = await self._page("", offset=offset, column="updated_at", order="desc", limit=_PAGE)
            is_empty = is_empty and not page
            for entry in page:
                if not entry.is_folder and entry.name not in seen:
                    seen.add(entry.name)
                    yield entry
            if len(page) < _PAGE:
                break
            offset += len(page)
        if is_empty:
            await self.prove(max_age_s=0)

    async def prove(self, *, max_age_s: float, writes: bool = False) -> None:
        """Return when the bucket is there and the key sees what is in it. Raises ``StorageUnavailable``."""
        async with self._proving:
            if self._proved_at is not None and time.monotonic() - self._proved_at < max_age_s:
                return
            self._proved_at = None
            makes = writes or not self._only_writes_make
            await self._see_bucket(makes=makes)
            await (self._see_marker() if makes else self._see_anything())
            self._was_seen = True
            self._proved_at = time.monotonic()

    async def ready(self, *, writes: bool = False) -> None:
        """See the bucket before the first call, and make it where it is missing. Raises ``StorageUnavailable``."""
        if self._proved_at is None:
            await self.prove(max_age_s=PROOF_HOLDS_S, writes=writes)

    async def _looked[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call that is answered, to a key that is no good, as if the bucket were missing."""
        try:
            return await self._calls.make(call)
        except BucketNotSeen:
            self._proved_at = None
            await self._calls.make(lambda: self._client.storage.get_bucket(self._name))  # says what is wrong
            raise

    async def _see_bucket(self, *, makes: bool) -> None:
        try:
            bucket = await self._calls.make(lambda: self._client.storage.get_bucket(self._name))
        except BucketNotSeen:
            if self._was_seen or not makes:
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
        options = _options("application/octet-stream", upsert=False)
        try:
            await self._calls.make(lambda: self._objects.upload(_MARKER, b"idolchat\n", options))
        except AlreadyThere as error:
            log.info("the bucket was marked meanwhile", extra={"bucket": self._name, "reason": str(error)})
        if not await self._is_marked():
            raise StorageUnavailable(
                f"SUPABASE_SERVICE_ROLE_KEY may not see what is in bucket {self._name!r}: a policy hides it."
                " It must be the project's secret key, not a publishable, anon or user's one"
            )

    async def _see_anything(self) -> None:
        """See the marker, or where nobody has made it yet, any object or folder of somebody else."""
        if await self._is_marked() or await self._page("", offset=0, column="name", order="asc", limit=1):
            return
        raise StorageUnavailable(
            f"nothing is to be seen in bucket {self._name!r}: it is empty, or a policy hides what is in it from"
            " SUPABASE_SERVICE_ROLE_KEY, which must be the project's secret key; `idol serve` marks it as idolchat's"
        )

    async def _is_marked(self) -> bool:
        try:
            await self._looked(lambda: self._objects.info(_MARKER))
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


def _options(content_type: str, *, upsert: bool) -> FileOptions:
    return {"content-type": content_type, "cache-control": "0", "upsert": "true" if upsert else "false"}


def _entry(item: Mapping[str, Any]) -> Entry:
    about = item.get("metadata") or {}
    text = str(item.get("updated_at") or "")
    updated_at = datetime.fromisoformat(text) if text else None
    return Entry(str(item["name"]), item.get("id") is None, updated_at, f"{about.get('eTag')} {text}")
