"""Uploads as the bytes alone: the form that the client makes of an object costs more than twice the CPU."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
from storage3.exceptions import StorageApiError

__all__ = ["Uploads"]

_OBJECT_CHARACTERS = "/!*'()$=@;:+,&"


class Uploads:
    """Sends objects to one bucket; storage-api takes a body as it is, and what goes beside it in ``x-metadata``.

    See ``src/storage/uploader.ts`` of supabase/storage, read 2026-08-21. An upload without a byte is not known to be
    taken so, and none is sent.
    """

    def __init__(self, http: httpx.AsyncClient, *, url: str, key: str, bucket: str) -> None:
        self._http = http
        self._base = f"{url}/storage/v1/object/{quote(bucket, safe='')}/"
        self._headers = {"apikey": key, "Authorization": f"Bearer {key}", "Cache-Control": "max-age=0"}

    async def send(
        self, key: str, data: bytes, *, content_type: str, facts: Mapping[str, Any] | None, upsert: bool
    ) -> None:
        """Send an object. Raises what the client raises."""
        headers = {**self._headers, "Content-Type": content_type, "x-upsert": "true" if upsert else "false"}
        if facts is not None:
            headers["x-metadata"] = base64.b64encode(json.dumps(facts).encode()).decode()
        address = self._base + quote(key, safe=_OBJECT_CHARACTERS)
        answer = await self._http.request("POST", address, content=data, headers=headers)
        if not answer.is_success:
            raise _error_of(answer)


def _error_of(answer: httpx.Response) -> StorageApiError:
    """Make the error that the client makes of an answer."""
    try:
        said = answer.json()
        return StorageApiError(said["message"], said["error"], said["statusCode"])
    except (KeyError, TypeError, ValueError):
        return StorageApiError("the answer is not Storage's", "InternalError", answer.status_code)
