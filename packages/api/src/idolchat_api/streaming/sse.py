"""Server-sent events: one HTTP client reads the events of a turn."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import replace

from starlette.types import Receive, Scope, Send

from idolchat_api.app_state import app_state
from idolchat_api.asgi.client_connection import ClientConnection
from idolchat_api.errors import Problem, Unauthenticated, problem_from
from idolchat_api.streaming.forms import NATIVE, EventEncoder, TurnForm
from idolchat_core.errors import IdolchatError
from idolchat_core.events.events import Batch, TurnEnded, TurnStarted
from idolchat_core.events.live_turn import LiveTurn

__all__ = ["stream_turn"]

logger = logging.getLogger(__name__)

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
    form: TurnForm = NATIVE,
) -> None:
    """Send the events after ``seq`` ``after``, and what ends the stream. Raises ``ClientLeft``.

    The turn goes on without whoever is no longer let in: they are told so, and where to go on with a fresh token.
    """
    await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *headers]})
    try:
        async with ClientConnection(scope, receive, send, heartbeat_s=heartbeat_s) as connection:
            with app_state(scope).open_sessions.tracked(scope, connection.end):
                await _stream_or_report(turn, connection, after, form)
    except Unauthenticated as error:
        await send({"type": "http.response.body", "body": _revoked(turn, error, form) + form.done})


async def _stream_or_report(turn: LiveTurn, connection: ClientConnection, after: int, form: TurnForm) -> None:
    try:
        await _follow(turn, connection, after, form)
    except Exception:  # the status is out: what failed here can only be told in the stream
        logger.exception("stream failed", extra={"turn_id": turn.turn_id})
        await connection.write(_internal_error(form) + form.done, more=False)


async def _follow(turn: LiveTurn, connection: ClientConnection, after: int, form: TurnForm) -> None:
    stream = _Stream(connection, after, form)
    # From the first event on, for what a chunk says follows from those before it.
    async with aclosing(turn.follow(on_events=stream.write_now)) as batches:
        async for first, events in batches:
            await stream.write(first, events)


class _Stream:
    """Encodes events and writes them: directly where possible, else when the client has room."""

    def __init__(self, connection: ClientConnection, after: int, form: TurnForm) -> None:
        self._connection = connection
        self._after = after
        self._form = form
        self._opening = form.opening
        self._encoder: EventEncoder | None = None
        self._has_written = False

    def write_now(self, first: int, events: Batch) -> bool:
        """Write events without waiting; False where that cannot be done."""
        if not self._has_written or self._encoder is None or isinstance(events[-1], TurnEnded):
            return False
        return self._connection.write_now(self._encoder.encode(first, events, after=self._after))

    async def write(self, first: int, events: Batch) -> None:
        """Write events, waiting while the client is slow to read."""
        encoder = self._encoder
        if encoder is None:
            if not isinstance(events[0], TurnStarted):
                raise AssertionError("a turn's first event says that it started")
            self._encoder = encoder = self._form.encoder(events[0])
        for start in range(0, len(events), EVENTS_PER_WRITE):
            part = events[start : start + EVENTS_PER_WRITE]
            chunks = encoder.encode(first + start, part, after=self._after)
            is_last = isinstance(part[-1], TurnEnded)
            if chunks or is_last:
                opening, self._opening = self._opening, b""
                self._has_written = True
                end = self._form.done if is_last else b""
                await self._connection.write(opening + chunks + end, more=not is_last)


def _internal_error(form: TurnForm) -> bytes:
    problem = Problem(
        status=500, type="server_error", code=IdolchatError.code, message="the server failed on this stream"
    )
    return form.fault({"error": problem.as_dict(), "state": "unknown"})


def _revoked(turn: LiveTurn, error: Unauthenticated, form: TurnForm) -> bytes:
    message = f"{error}; with a good token, /turns/{turn.turn_id}/stream tells the rest"
    problem = replace(problem_from(error), message=message)
    ids = {"conversation_id": turn.conversation_id, "turn_id": turn.turn_id}
    return form.fault({**ids, "error": problem.as_dict(), "state": turn.status.state})
