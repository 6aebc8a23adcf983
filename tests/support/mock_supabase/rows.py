"""What Storage shows of an object: in a list, as a row of the database, and as its facts."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.support.mock_supabase.state import StoredObject

__all__ = ["file_item", "folder_item", "info_of", "json_answer", "row_of", "time_text"]


def folder_item(name: str) -> dict[str, Any]:
    """Return what a list shows of a folder."""
    return {"name": name, **dict.fromkeys(("id", "updated_at", "created_at", "last_accessed_at", "metadata"))}


def file_item(name: str, stored: StoredObject) -> dict[str, Any]:
    """Return what a list shows of an object."""
    return {
        "name": name,
        "id": stored.id,
        "updated_at": time_text(stored.updated_at),
        "created_at": time_text(stored.created_at),
        "last_accessed_at": time_text(stored.created_at),
        "metadata": {
            "eTag": stored.etag,
            "size": len(stored.data),
            "mimetype": stored.content_type,
            "cacheControl": stored.cache_control,
            "lastModified": time_text(stored.updated_at),
            "contentLength": len(stored.data),
            "httpStatusCode": 200,
        },
    }


def row_of(bucket: str, key: str, stored: StoredObject) -> dict[str, Any]:
    """Return the whole row, as ``remove`` answers with."""
    owner = {"bucket_id": bucket, "owner": None, "owner_id": None, "version": stored.version}
    return file_item(key, stored) | owner | {"user_metadata": stored.metadata}


def info_of(bucket: str, key: str, stored: StoredObject) -> dict[str, Any]:
    """Return the facts of an object; ``metadata`` is what the user wrote beside it."""
    return {
        "id": stored.id,
        "name": key,
        "version": stored.version,
        "bucket_id": bucket,
        "size": len(stored.data),
        "content_type": stored.content_type,
        "cache_control": stored.cache_control,
        "etag": stored.etag,
        "metadata": stored.metadata,
        "last_modified": time_text(stored.updated_at),
        "created_at": time_text(stored.created_at),
    }


def time_text(value: Any) -> str:
    """Write a time as Storage does."""
    return str(value.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def json_answer(body: Mapping[str, Any] | list[Any], *, status: int = 200) -> web.Response:
    """Answer with JSON as Storage writes it."""
    return web.json_response(body, status=status, content_type="application/json", dumps=_dumps)


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
