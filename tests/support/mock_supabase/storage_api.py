"""Storage: buckets and objects below ``/storage/v1``."""

import json
import re
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from email.utils import format_datetime, parsedate_to_datetime

from aiohttp import BodyPartReader, web

from tests.support.mock_supabase.keys import Caller, caller_of
from tests.support.mock_supabase.listing import check_list_request, list_objects
from tests.support.mock_supabase.refusals import Refused, bad_request, refused
from tests.support.mock_supabase.rows import info_of, json_answer, row_of
from tests.support.mock_supabase.state import State, StoredObject

__all__ = ["StorageApi"]

_KEY = re.compile(r"[A-Za-z0-9_/!.*'() &$=@;:+,?-]*")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_PROBLEMS = {
    "expired": '"exp" claim timestamp check failed',
    "signature": "signature verification failed",
    "garbage": "Invalid Compact JWS",
}

type Handler = Callable[[web.Request, Caller], Awaitable[web.Response]]


class StorageApi:
    """The routes; who may not see something is told that it is not there."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        base = "/storage/v1"
        for method, path, handler in (
            ("POST", "/bucket", self._create_bucket),
            ("GET", "/bucket/{bucket}", self._get_bucket),
            ("POST", "/object/list/{bucket}", self._list),
            ("GET", "/object/info/{bucket}/{key:.+}", self._info),
            ("GET", "/object/{bucket}/{key:.+}", self._download),
            ("HEAD", "/object/{bucket}/{key:.+}", self._head),
            ("POST", "/object/{bucket}/{key:.+}", self._upload),
            ("PUT", "/object/{bucket}/{key:.+}", self._upload),
            ("DELETE", "/object/{bucket}", self._remove),
        ):
            app.router.add_route(method, base + path, self._guarded(handler))

    def _guarded(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        # These look for the bucket first, and to who has no good key a private one is not there.
        hides_bad_key = handler in (self._download, self._info, self._head)

        async def guarded(request: web.Request) -> web.Response:
            caller = caller_of(request.headers.get("Authorization"))
            try:
                if handler == self._list:
                    check_list_request(await request.json())
                if caller.problem and hides_bad_key:
                    raise refused("NoSuchBucket")
                self._check(caller)
                return await handler(request, caller)
            except Refused as error:
                return error.response

        return guarded

    def _check(self, caller: Caller) -> None:
        if caller.problem == "none":
            raise bad_request("headers must have required property 'authorization'")
        if caller.problem:
            raise Refused("403", "Unauthorized", _PROBLEMS[caller.problem], "AccessDenied")

    def _sees(self, caller: Caller) -> bool:
        return caller.role == "service_role" and not self._state.is_hidden

    async def _create_bucket(self, request: web.Request, caller: Caller) -> web.Response:
        asked = await request.json()
        if not re.fullmatch(r"[ -.0-~]{1,100}", asked["id"]):
            raise Refused("400", "Invalid Input", "Bucket name invalid", "InvalidBucketName")
        if not self._sees(caller):
            raise refused("RowLevel")
        if asked["id"] in self._state.buckets:
            raise refused("BucketAlreadyExists")
        self._state.add_bucket(
            asked["id"],
            is_public=asked.get("public", False),
            file_size_limit=asked.get("file_size_limit"),
            allowed_mime_types=asked.get("allowed_mime_types"),
        )
        return json_answer({"name": asked["name"]})

    async def _get_bucket(self, request: web.Request, caller: Caller) -> web.Response:
        found = self._state.buckets.get(request.match_info["bucket"])
        if found is None or not self._sees(caller):
            raise refused("NoSuchBucket")
        return json_answer(found)

    async def _list(self, request: web.Request, caller: Caller) -> web.Response:
        asked = await request.json()
        found = list_objects(self._state, request.match_info["bucket"], asked) if self._sees(caller) else []
        return json_answer(found)

    async def _info(self, request: web.Request, caller: Caller) -> web.Response:
        key, stored = self._found(request, caller)
        return json_answer(info_of(request.match_info["bucket"], key, stored))

    async def _head(self, request: web.Request, caller: Caller) -> web.Response:
        _, stored = self._found(request, caller)
        return web.Response(headers=_headers(stored) | {"Content-Length": str(len(stored.data))})

    async def _download(self, request: web.Request, caller: Caller) -> web.Response:
        address = f"{request.rel_url} {request.headers.get('Authorization')}"
        if self._state.serves_stale and address in self._state.cached:
            headers, data = self._state.cached[address]
            return web.Response(body=data, headers={**headers, "cf-cache-status": "HIT"})
        _, stored = self._found(request, caller)
        headers = _headers(stored)
        self._state.cached[address] = headers, stored.data
        if _is_fresh(request.headers, stored):
            return web.Response(status=304, headers=headers)
        wanted = _RANGE.fullmatch(request.headers.get("Range", ""))
        if wanted is None:
            return web.Response(body=stored.data, headers=headers)
        start, stop = _bounds(*wanted.groups(), size_bytes=len(stored.data))
        ranged = {"Content-Range": f"bytes {start}-{stop - 1}/{len(stored.data)}"}
        return web.Response(status=206, body=stored.data[start:stop], headers=headers | ranged)

    def _found(self, request: web.Request, caller: Caller) -> tuple[str, StoredObject]:
        bucket, key = request.match_info["bucket"], request.match_info["key"]
        if bucket not in self._state.buckets:
            raise refused("NoSuchBucket")
        stored = self._state.objects.get((bucket, key))
        if stored is None or not self._sees(caller):
            raise refused("NoSuchKey")
        return key, stored

    async def _upload(self, request: web.Request, caller: Caller) -> web.Response:
        bucket, key = request.match_info["bucket"], request.match_info["key"]
        sent = await _sent(request)
        about = self._state.buckets.get(bucket)
        if about is None:
            raise refused("NoSuchBucket")
        types = about["allowed_mime_types"]
        if types and sent.content_type not in types:
            text = f"mime type {sent.content_type} is not supported"
            raise Refused("415", "invalid_mime_type", text, "InvalidMimeType")
        if not _KEY.fullmatch(key):
            raise Refused("400", "InvalidKey", f"Invalid key: {key}", "InvalidKey")
        # The row is tried first, with the caller's own rights: who has none is not told that it is there.
        if not self._sees(caller):
            raise refused("RowLevel")
        old = self._state.objects.get((bucket, key))
        if old and request.method == "POST" and request.headers.get("x-upsert") != "true":
            raise refused("KeyAlreadyExists")
        if len(sent.data) > min(about["file_size_limit"] or self._state.max_bytes, self._state.max_bytes):
            raise refused("EntityTooLarge")
        if old:
            sent.id, sent.created_at = old.id, old.created_at
        self._state.objects[bucket, key] = sent
        self._state.uploads[key] += 1
        self._state.uploaded_bytes += len(sent.data)
        return json_answer({"Key": f"{bucket}/{key}", "Id": sent.id})

    async def _remove(self, request: web.Request, caller: Caller) -> web.Response:
        asked = (await request.json())["prefixes"]
        if not asked:
            raise bad_request("body/prefixes must NOT have fewer than 1 items")
        bucket = request.match_info["bucket"]
        gone = []
        for key in asked if self._sees(caller) else ():
            stored = self._state.objects.pop((bucket, key), None)
            if stored:
                gone.append(row_of(bucket, key, stored))
        return json_answer(gone)


async def _sent(request: web.Request) -> StoredObject:
    """Read what is uploaded: a form of parts in order, or the bytes alone."""
    if not request.content_type.startswith("multipart/"):
        data = await request.read()
        control = request.headers.get("Cache-Control", "no-cache")
        content_type = request.headers.get("Content-Type", "application/octet-stream")
        return StoredObject(data, content_type, control, _metadata(request.headers.get("x-metadata", "")))
    cache_control, metadata = "no-cache", {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        data = bytes(await part.read())
        if part.name == "cacheControl":
            cache_control = f"max-age={data.decode()}"
        elif part.name == "metadata":
            metadata = json.loads(data)
        else:
            return StoredObject(data, part.headers["Content-Type"], cache_control, metadata)
    raise Refused("400", "InvalidRequest", "No content provided", "InvalidRequest")


def _metadata(header: str) -> dict[str, object]:
    """Read ``x-metadata``; what cannot be read is left out, as the server does."""
    try:
        found = json.loads(b64decode(header))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _headers(stored: StoredObject) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        "ETag": stored.etag,
        "Last-Modified": format_datetime(stored.updated_at, usegmt=True),
        "Cache-Control": stored.cache_control,
        "Content-Type": stored.content_type,
        "X-Robots-Tag": "none",
    }


def _is_fresh(headers: Mapping[str, str], stored: StoredObject) -> bool:
    if "If-None-Match" in headers:
        return headers["If-None-Match"] == stored.etag
    since = headers.get("If-Modified-Since")
    return since is not None and stored.updated_at.replace(microsecond=0) <= parsedate_to_datetime(since)


def _bounds(first: str, last: str, *, size_bytes: int) -> tuple[int, int]:
    start = int(first) if first else size_bytes - int(last or 0)
    stop = int(last) + 1 if first and last else size_bytes
    if not 0 <= start < min(stop, size_bytes):
        raise refused("InvalidRange")
    return start, min(stop, size_bytes)
