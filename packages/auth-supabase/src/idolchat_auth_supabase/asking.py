"""Requests to a project's auth server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from idolchat_api.auth import AuthUnavailable

__all__ = ["ask", "new_client"]

TIMEOUT_S = 5.0
MAX_BYTES = 256 * 1024


def new_client() -> aiohttp.ClientSession:
    """Open a client; it keeps no cookies, and what it sends goes nowhere else."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), cookie_jar=aiohttp.DummyCookieJar(), trust_env=True
    )


async def ask(client: aiohttp.ClientSession, url: str, *, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Return the status and the JSON of a reply, None where it is none. Raises ``AuthUnavailable``."""
    try:
        async with client.get(url, headers=headers, allow_redirects=False) as reply:
            body = await reply.content.read(MAX_BYTES + 1)
            while len(body) <= MAX_BYTES and (more := await reply.content.read(MAX_BYTES + 1 - len(body))):
                body += more
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise AuthUnavailable(f"the Supabase auth server does not answer ({type(error).__name__})") from error
    if len(body) > MAX_BYTES:
        raise AuthUnavailable(f"the Supabase auth server answered with more than {MAX_BYTES} bytes")
    try:
        return reply.status, orjson.loads(body)
    except orjson.JSONDecodeError:
        return reply.status, None
