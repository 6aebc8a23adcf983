"""What the routes of this package have in common: bodies as files, versions as ETags."""

from __future__ import annotations

import asyncio
import re
import tempfile
from typing import Annotated
from urllib.parse import quote

from fastapi import Header, Request

from idolchat_api import BodyTooLarge, MalformedRequest
from idolchat_core import InvalidRequest

__all__ = ["IfMatch", "attached", "etag", "expected_version", "received"]

_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"|(\d{1,18})')

IfMatch = Annotated[str | None, Header(description="The `ETag` of what is to be changed; without it, whatever it is.")]


async def received(request: Request, most: int, variable: str) -> bytes:
    """Read a body of at most so many bytes, which a variable limits, by way of the disk.

    Raises ``BodyTooLarge``, ``InvalidRequest``.
    """
    size_bytes = 0
    with tempfile.TemporaryFile() as file:
        async for part in request.stream():
            size_bytes += len(part)
            if size_bytes > most:
                raise BodyTooLarge(f"the file may have {most} bytes ({variable})")
            await asyncio.to_thread(file.write, part)
        if not size_bytes:
            raise InvalidRequest("the body is empty: send the file as it is")
        file.seek(0)
        return await asyncio.to_thread(file.read)


def etag(version: int) -> str:
    """Write a version as an ETag."""
    return f'"{version}"'


def expected_version(if_match: str | None) -> int | None:
    """Read the version in ``If-Match`` (RFC 9110, section 13.1.1). Raises ``MalformedRequest``."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise MalformedRequest('the If-Match header must be the ETag of what is changed, such as "3"', param="If-Match")
    return int(found[1] or found[2])


def attached(file_name: str) -> str:
    """Write a ``Content-Disposition`` that has a file downloaded under a name."""
    return f"attachment; filename*=UTF-8''{quote(file_name)}"
