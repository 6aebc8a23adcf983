"""Storage: buckets and objects below ``/storage/v1``."""

import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import BodyPartReader, web

from tests.support.mock_supabase.keys import Caller, caller_of
from tests.support.mock_supabase.state import State, StoredObject, now

__all__ = ["StorageApi"]

_KEY = re.compile(r"[A-Za-z0-9_/!.*'() &$=@;:+,?-]*")
_COLUMNS = ("name", "updated_at", "created_at", "last_accessed_at")
_PROBLEMS = {
    "expired": '"exp" claim timestamp check failed',
    "signature": "signature verification failed",
    "garbage": "Invalid Compact JWS",
}
_ERRORS = {
    "NoSuchBucket": ("404", "Bucket not found", "Bucket not found"),
    "NoSuchKey": ("404", "not_found", "Object not found"),
    "KeyAlreadyExists": ("409", "Duplicate", "The resource already exists"),
    "BucketAlreadyExists": ("409", "Duplicate", "The resource already exists"),
    "EntityTooLarge": ("413", "Payload too large", "The object exceeded the maximum allowed size"),
    "RowLevel": ("403", "Unauthorized", "new row violates row-level security policy"),
    "InternalError": ("500", "Internal", "Internal Server Error"),
}


class Refused(Exception):
    """A call ends in an error of the service."""

    def __init__(self, status_code: str, error: str, message: str, code: str) -> None:
        super().__init__(message)
        body = {"statusCode": status_code, "error": error, "message": message, "code": code}
        self.response = _answer(body, status=500 if status_code == "500" else 400)


def refused(code: str) -> Refused:
    """Make one of the usual errors."""
    return Refused(*_ERRORS[code], "AccessDenied" if code == "RowLevel" else code)


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
            ("POST", "/object/{bucket}/{key:.+}", self._upload),
            ("PUT", "/object/{bucket}/{key:.+}", self._upload),
            ("DELETE", "/object/{bucket}", self._remove),
        ):
            app.router.add_route(method, base + path, self._guarded(handler))

    def _guarded(self, handler: Any) -> Any:
        async def guarded(request: web.Request) -> web.StreamResponse:
            caller = caller_of(request.headers.get("Authorization"))
            is_download = handler == self._download
            try:
                if caller.problem and is_download:
                    raise refused("NoSuchBucket")
                self._check(caller)
                return await handler(request, caller)  # type: ignore[no-any-return]
            except Refused as error:
                return error.response

        return guarded

    def _check(self, caller: Caller) -> None:
        if caller.problem == "none":
            raise Refused("400", "Error", "headers must have required property 'authorization'", "InvalidRequest")
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
        self._state.buckets[asked["id"]] = {
            "id": asked["id"],
            "name": asked["name"],
            "owner": "",
            "public": asked.get("public", False),
            "file_size_limit": asked.get("file_size_limit"),
            "allowed_mime_types": asked.get("allowed_mime_types"),
            "created_at": _time(now()),
            "updated_at": _time(now()),
        }
        return _answer({"name": asked["name"]})

    async def _get_bucket(self, request: web.Request, caller: Caller) -> web.Response:
        found = self._state.buckets.get(request.match_info["bucket"])
        if found is None or not self._sees(caller):
            raise refused("NoSuchBucket")
        return _answer(found)

    async def _list(self, request: web.Request, caller: Caller) -> web.Response:
        asked = await request.json()
        column, order = asked["sortBy"]["column"], asked["sortBy"].get("order", "asc")
        if asked["limit"] < 1:
            raise Refused("400", "Error", "body/limit must be >= 1", "InvalidRequest")
        if column not in _COLUMNS:
            text = "body/sortBy/column must be equal to one of the allowed values"
            raise Refused("400", "Error", text, "InvalidRequest")
        items = self._listed(request.match_info["bucket"], asked["prefix"].strip("/")) if self._sees(caller) else []
        items.sort(key=lambda item: item[column] or "", reverse=order == "desc")
        return _answer(items[asked["offset"] : asked["offset"] + asked["limit"]])

    def _listed(self, bucket: str, folder: str) -> list[dict[str, Any]]:
        prefix = f"{folder}/" if folder else ""
        items: dict[str, dict[str, Any]] = {}
        for key, stored in self._state.keys(bucket):
            if key.startswith(prefix):
                name, slash, _ = key.removeprefix(prefix).partition("/")
                items[name] = _folder(name) if slash else _file(name, stored)
        return list(items.values())

    async def _info(self, request: web.Request, caller: Caller) -> web.Response:
        key, stored = self._found(request, caller)
        return _answer(
            {
                "id": stored.id,
                "name": key,
                "version": stored.version,
                "bucket_id": request.match_info["bucket"],
                "size": len(stored.data),
                "content_type": stored.content_type,
                "cache_control": stored.cache_control,
                "etag": stored.etag,
                "metadata": stored.metadata,
                "last_modified": _time(stored.updated_at),
                "created_at": _time(stored.created_at),
            }
        )

    async def _download(self, request: web.Request, caller: Caller) -> web.Response:
        address = f"{request.rel_url} {request.headers.get('Authorization')}"
        if self._state.serves_stale and address in self._state.cached:
            headers, data = self._state.cached[address]
            return web.Response(body=data, headers={**headers, "cf-cache-status": "HIT"})
        _, stored = self._found(request, caller)
        headers = {
            "ETag": stored.etag,
            "Last-Modified": stored.updated_at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "Cache-Control": stored.cache_control,
            "Content-Type": stored.content_type,
            "X-Robots-Tag": "none",
        }
        self._state.cached[address] = headers, stored.data
        if request.headers.get("If-None-Match") == stored.etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=stored.data, headers=headers)

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
        if not _KEY.fullmatch(key):
            raise Refused("400", "InvalidKey", f"Invalid key: {key}", "InvalidKey")
        limit = about["file_size_limit"] or self._state.max_bytes
        if len(sent.data) > min(limit, self._state.max_bytes):
            raise refused("EntityTooLarge")
        types = about["allowed_mime_types"]
        if types and sent.content_type not in types:
            text = f"mime type {sent.content_type} is not supported"
            raise Refused("415", "invalid_mime_type", text, "InvalidMimeType")
        # Whether it is there is looked up with more rights than the caller has; to write takes the caller's own.
        old = self._state.objects.get((bucket, key))
        if old and request.method == "POST" and request.headers.get("x-upsert") != "true":
            raise refused("KeyAlreadyExists")
        if not self._sees(caller):
            raise refused("RowLevel")
        if old:
            sent.id, sent.created_at = old.id, old.created_at
        self._state.objects[bucket, key] = sent
        self._state.uploads[key] += 1
        self._state.uploaded_bytes += len(sent.data)
        return _answer({"Key": f"{bucket}/{key}", "Id": sent.id})

    async def _remove(self, request: web.Request, caller: Caller) -> web.Response:
        asked = (await request.json())["prefixes"]
        if not asked:
            raise Refused("400", "Error", "body/prefixes must NOT have fewer than 1 items", "InvalidRequest")
        bucket = request.match_info["bucket"]
        gone = []
        for key in asked if self._sees(caller) else ():
            stored = self._state.objects.pop((bucket, key), None)
            if stored:
                gone.append({"name": key, "bucket_id": bucket, "id": stored.id, "version": stored.version})
        return _answer(gone)


async def _sent(request: web.Request) -> StoredObject:
    """Read what is uploaded: a form of three parts in order, or the bytes alone."""
    if not request.content_type.startswith("multipart/"):
        data = await request.read()
        control = request.headers.get("Cache-Control", "no-cache")
        return StoredObject(data, request.content_type, control, None)
    cache_control, metadata = "max-age=3600", None
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


def _folder(name: str) -> dict[str, Any]:
    return {"name": name, **dict.fromkeys(("id", "updated_at", "created_at", "last_accessed_at", "metadata"))}


def _file(name: str, stored: StoredObject) -> dict[str, Any]:
    return {
        "name": name,
        "id": stored.id,
        "updated_at": _time(stored.updated_at),
        "created_at": _time(stored.created_at),
        "last_accessed_at": _time(stored.created_at),
        "metadata": {
            "eTag": stored.etag,
            "size": len(stored.data),
            "mimetype": stored.content_type,
            "cacheControl": stored.cache_control,
            "lastModified": _time(stored.updated_at),
            "contentLength": len(stored.data),
            "httpStatusCode": 200,
        },
    }


def _time(value: Any) -> str:
    return str(value.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def _answer(body: Mapping[str, Any] | list[Any], *, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, content_type="application/json", dumps=_dumps)


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
