"""Server-sent events: a turn followed by one HTTP client."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from idolchat_api.app_state import running
from idolchat_api.asgi.client_connection import Connection
from idolchat_api.errors import Problem, Unauthenticated, problem_from
from idolchat_api.streaming.sse_encoder import DONE, ChunkEncoder
from idolchat_core.errors import IdolchatError
from idolchat_core.events.events import Event, TurnEnded, TurnStarted
from idolchat_core.events.live_turn import LiveTurn

__all__ = ["stream_turn"]

logger = logging.getLogger(__name__)

RETRY = b"retry: 2000\n"
"""When to reconnect, in milliseconds; in the first event, for OpenAI's client takes it alone for an empty event."""
EVENTS_PER_WRITE = 256
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx
]


async def stream_turn(
    turn: LiveTurn,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    heartbeat_s: float,
    after: int = -1,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Send the events after ``seq`` ``after``, then ``[DONE]``. Raises ``ClientLeft``.

    The turn goes on without whoever is no longer let in: they are told so, and where to go on with a fresh token.
    """
    await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *headers]})
    try:
        async with Connection(scope, receive, send, heartbeat_s=heartbeat_s) as connection:
            with running(scope).admissions.during(scope, connection.end):
                await _told(turn, connection, after)
    except Unauthenticated as error:
        await send({"type": "http.response.body", "body": _put_out(turn, error) + DONE})


async def _told(turn: LiveTurn, connection: Connection, after: int) -> None:
    try:
        await _follow(turn, connection, after)
    except Exception:  # the status is out: what failed here can only be told in the stream
        logger.exception("stream failed", extra={"turn_id": turn.turn_id})
        await connection.write(_failure() + DONE, more=False)


async def _follow(turn: LiveTurn, connection: Connection, after: int) -> None:
    stream = _Stream(connection, after)
    # From the first event on, for what a chunk says follows from those before it.
    async with aclosing(turn.follow(on_events=stream.take)) as batches:
        async for first, events in batches:
            await stream.write(first, events)


class _Stream:
    """Encodes events and writes them: in the moment they are told where that is possible, else when there is room."""

    def __init__(self, connection: Connection, after: int) -> None:
        self._connection = connection
        self._after = after
        self._opening = RETRY
        self._encoder: ChunkEncoder | None = None

    def take(self, first: int, events: Sequence[Event]) -> bool:
        """Write events without waiting, or tell that it cannot be done."""
        if self._opening or self._encoder is None or isinstance(events[-1], TurnEnded):
            return False
        return self._connection.write_now(self._encoder.encode(first, events, after=self._after))

    async def write(self, first: int, events: Sequence[Event]) -> None:
        """Write events, waiting while the client is slow to read."""
        encoder = self._encoder
        if encoder is None:
            if not isinstance(events[0], TurnStarted):
                raise AssertionError("a turn's first event says that it started")
            self._encoder = encoder = ChunkEncoder(events[0])
        for start in range(0, len(events), EVENTS_PER_WRITE):
            part = events[start : start + EVENTS_PER_WRITE]
            chunks = encoder.encode(first + start, part, after=self._after)
            is_last = isinstance(part[-1], TurnEnded)
            if chunks or is_last:
                opening, self._opening = self._opening, b""
                await self._connection.write(opening + chunks + (DONE if is_last else b""), more=not is_last)


def _failure() -> bytes:
    problem = Problem(
        status=500, type="server_error", code=IdolchatError.code, message="the server failed on this stream"
    )
    return _last({"error": problem.as_dict(), "state": "unknown"})


def _put_out(turn: LiveTurn, error: Unauthenticated) -> bytes:
    message = f"{error}; with a good token, /turns/{turn.turn_id}/stream tells the rest"
    problem = replace(problem_from(error), message=message)
    ids = {"conversation_id": turn.conversation_id, "turn_id": turn.turn_id}
    return _last({**ids, "error": problem.as_dict(), "state": turn.status.state})


def _last(fields: Mapping[str, Any]) -> bytes:
    """Write a chunk that is no event of the turn, and so has no id to go on from."""
    return b"data: %b\n\n" % orjson.dumps({"object": "chat.completion.chunk", "choices": [], **fields})
