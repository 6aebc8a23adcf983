"""Whole replies, sent as ASGI messages."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import Send

from idolchat_api.errors import Problem

__all__ = ["JSON", "send_json", "send_problem"]

JSON = (b"content-type", b"application/json")


async def send_json(send: Send, body: bytes, *, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    start = [JSON, (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def send_problem(send: Send, problem: Problem, request_id: str | None) -> None:
    """Send an error with its envelope and headers."""
    await send_json(send, problem.body(request_id), status=problem.status, headers=problem.headers())
