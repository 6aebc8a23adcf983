"""Whole replies, sent as ASGI messages."""

from __future__ import annotations

import math
from collections.abc import Iterable
from http import HTTPStatus

from starlette.types import Send

from idolchat_api.errors import Problem
from idolchat_api.limits.headers import ratelimit_headers

__all__ = ["JSON", "problem_headers", "send_json", "send_problem"]

JSON = (b"content-type", b"application/json")


async def send_json(send: Send, body: bytes, *, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    start = [JSON, (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def send_problem(send: Send, problem: Problem, request_id: str | None) -> None:
    """Send an error with its envelope and headers."""
    await send_json(send, problem.body(request_id), status=problem.status, headers=problem_headers(problem))


def problem_headers(problem: Problem) -> list[tuple[bytes, bytes]]:
    """Return the headers of an error: how to authenticate, or when to try again and how the limits stand."""
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return [(b"www-authenticate", b"Bearer")]  # RFC 6750, section 3
    if problem.retry_after_s is None:
        return []
    return [(b"retry-after", b"%d" % max(1, math.ceil(problem.retry_after_s))), *ratelimit_headers(problem.quotas)]
