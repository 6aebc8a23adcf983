"""Uploads, of which every copy is one: the bytes alone, by the quicker of two HTTP clients.

The form that Supabase's client makes of an object goes out in fourteen pieces, and its HTTP library takes three to four
times the CPU of this one for a request.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from storage3.exceptions import StorageApiError

from idolchat_storage_supabase.settings import SupabaseSettings

__all__ = ["KEPT_S", "MAX_CONNECTIONS", "Uploads", "open_uploads"]

MAX_CONNECTIONS = 32
KEPT_S = 30.0
LONG_BYTES = 256 * 1024
_OBJECT_CHARACTERS = "/!*'()$=@;:+,&"


class Uploads:
    """Sends objects to one bucket; storage-api takes a body as it is, and what goes beside it in ``x-metadata``.

    See ``src/storage/uploader.ts`` of supabase/storage, read 2026-08-21. It is not known whether it takes an upload of
    no bytes so: none is to be sent.
    """

    def __init__(self, http: aiohttp.ClientSession, *, url: str, key: str, bucket: str) -> None:
        self._http = http
        self._base = f"{url}/storage/v1/object/{quote(bucket, safe='')}/"
        self._headers = {"apikey": key, "Authorization": f"Bearer {key}", "Cache-Control": "max-age=0"}

    async def send(
        self, key: str, data: bytes, *, content_type: str, facts: Mapping[str, Any] | None, upsert: bool
    ) -> None:
        """Send an object. Raises ``StorageApiError`` as Supabase's client does, and ``aiohttp.ClientError``."""
        headers = {**self._headers, "Content-Type": content_type, "x-upsert": "true" if upsert else "false"}
        if facts is not None:
            headers["x-metadata"] = base64.b64encode(json.dumps(facts).encode()).decode()
        address = self._base + quote(key, safe=_OBJECT_CHARACTERS)
        # A long body is sent in pieces, so that others have a turn on the event loop.
        body = data if len(data) < LONG_BYTES else io.BytesIO(data)
        async with self._http.post(address, data=body, headers=headers) as answer:
            said = await answer.read()
            if not answer.ok:
                raise _error_of(answer.status, said)


@asynccontextmanager
async def open_uploads(settings: SupabaseSettings) -> AsyncGenerator[Uploads]:
    """Open the connections that uploads go by; proxies and certificates are those of the other calls."""
    url, key = settings.access()
    connector = aiohttp.TCPConnector(
        limit=MAX_CONNECTIONS, keepalive_timeout=KEPT_S, ssl=httpx.create_ssl_context() if url[:6] == "https:" else True
    )
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s, sock_read=settings.timeout_s)
    jar = aiohttp.DummyCookieJar()
    # With ``trust_env`` the environment and a .netrc would be read at every request, the file in another thread.
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, proxy=_proxy_of(url), cookie_jar=jar
    ) as http:
        yield Uploads(http, url=url, key=key, bucket=settings.bucket)


def _proxy_of(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _error_of(status: int, said: bytes) -> StorageApiError:
    """Make the error that Supabase's client makes of an answer."""
    try:
        error = json.loads(said)
        return StorageApiError(error["message"], error["error"], error["statusCode"])
    except (KeyError, TypeError, ValueError):
        return StorageApiError("the answer is not Storage's", "InternalError", status)
