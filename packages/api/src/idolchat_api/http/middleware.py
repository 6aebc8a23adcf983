"""The outermost middleware: request ids, host checks, authentication, rate limits, the access log."""

from __future__ import annotations

import asyncio
import logging
import re
from time import perf_counter
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from idolchat_api.app_state import AppState, app_state, sign_in_of
from idolchat_api.asgi.client_connection import ClientLeft
from idolchat_api.asgi.responses import problem_headers, send_problem
from idolchat_api.auth.principal import NOBODY, Principal
from idolchat_api.errors import Problem, problem_from
from idolchat_api.http.host_guard import Guard
from idolchat_api.limits.headers import ratelimit_headers
from idolchat_api.limits.request_context import set_request_context
from idolchat_api.observability.instrumentation import METRICS_PATH, Instrumentation
from idolchat_api.observability.logs import REQUEST_ID
from idolchat_core.errors import IdolchatError
from idolchat_core.models import new_id
from idolchat_core.request_context import CALLER

__all__ = ["RequestMiddleware"]

logger = logging.getLogger("idolchat_api.access")

_SAFE_ID = re.compile(rb"[A-Za-z0-9._\-]{1,64}")
# What OWASP's REST Security Cheat Sheet asks of an API (read 2026-08-22).
_SECURITY = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_PAGE_POLICY = (
    b"default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; object-src 'none'; base-uri 'none';"
    b" form-action 'self'; frame-ancestors 'none'"
)
"""For pages: what they load comes from this server, and no script stands in the page itself."""
_NO_STORE = (b"cache-control", b"no-store")
type Headers = list[tuple[bytes, bytes]]
CLIENT_LEFT = 499  # nginx's word in its log for a client that did not wait for the reply


class RequestMiddleware:
    """Wraps every request and socket."""

    def __init__(self, app: ASGIApp, *, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode() if given and _SAFE_ID.fullmatch(given) else new_id().hex
        scope.setdefault("state", {})["request_id"] = request_id
        REQUEST_ID.set(request_id)
        if scope["type"] == "http":
            await self._http(scope, self._guard.limited(scope, receive, headers), send, headers)
        else:
            await self._websocket(scope, receive, send, headers)

    async def _http(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        started_at = perf_counter()
        request_id = scope["state"]["request_id"]
        status = 0
        own_headers = [(b"x-request-id", request_id.encode()), *_SECURITY]

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                policy = _page_policy(scope) if scope["state"].get("is_page") else _POLICY
                message["headers"] = [*message["headers"], *own_headers, policy, *_cache_control(message["headers"])]
            await send(message)

        try:
            self._guard.check(scope, headers)
            await self._serve(scope, receive, send_with_id, headers, own_headers)
        except IdolchatError as error:
            await send_problem(send_with_id, problem_from(error), request_id)
        except ClientLeft:
            status = CLIENT_LEFT
        except asyncio.CancelledError:  # only a server that stops does this, to a client that does not read
            logger.warning("request cut off", extra=_log_fields(scope, started_at))
            return
        except Exception:  # a fault of ours, whatever it is: this is the last place that can answer
            logger.exception("request failed", extra=_log_fields(scope, started_at))
            if not status:
                await send_problem(send_with_id, _internal_error(request_id), request_id)
        _record_end(scope, status, started_at)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes], own_headers: Headers
    ) -> None:
        """Authenticate and serve a request; adds to ``own_headers``, which every reply to it gets."""
        app = app_state(scope)
        instrumentation = app.instrumentation
        if (
            instrumentation is not None
            and instrumentation.metrics_endpoint is not None
            and scope["path"] == METRICS_PATH
        ):
            await instrumentation.metrics_endpoint(scope, receive, send)
            return
        own_headers += await _authenticated(app, scope, headers)
        own_headers += _start_span(scope, instrumentation)
        await self._app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        started_at = perf_counter()
        try:
            self._guard.check(scope, headers)
            await _authenticated(app_state(scope), scope, headers)
            await self._app(scope, receive, send)
        except IdolchatError as error:
            problem = problem_from(error)
            await _deny_websocket(scope, send, problem)
            logger.info("websocket refused", extra={**_log_fields(scope, started_at), "status": problem.status})
        except Exception:  # a fault of ours: the socket is closed by the server
            logger.exception("websocket failed", extra=_log_fields(scope, started_at))
            raise
        else:
            logger.info("websocket closed", extra=_log_fields(scope, started_at))


async def _authenticated(app: AppState, scope: Scope, headers: dict[bytes, bytes]) -> Headers:
    """Authenticate and count a request, and return its rate limit headers. Raises ``IdolchatError``."""
    principal = await app.authentication.authenticate_request(scope, headers)
    scope["state"]["principal"] = principal
    origin = set_request_context(scope, headers, principal)
    return ratelimit_headers(app.rates.take(principal, origin.address))


def _record_end(scope: Scope, status: int, started_at: float) -> None:
    instrumentation = app_state(scope).instrumentation
    if instrumentation is not None:
        instrumentation.end(scope, status=status, started_at=started_at)
    if logger.isEnabledFor(logging.INFO):
        # Without the loop over ``extra`` that looks whether one of these is a field of the record's own.
        record = logging.LogRecord(logger.name, logging.INFO, "", 0, "request", (), None)
        vars(record).update(_log_fields(scope, started_at), status=status)
        logger.handle(record)


def _start_span(scope: Scope, instrumentation: Instrumentation | None) -> Headers:
    """Start the request's span, where there are traces, and return the header that names its trace."""
    if instrumentation is not None:
        instrumentation.begin(scope)
    traceparent = CALLER.get().traceparent
    return [] if traceparent is None else [(b"traceresponse", traceparent.encode())]


def _page_policy(scope: Scope) -> tuple[bytes, bytes]:
    """Return the policy of a page, which may also ask the service that signs people in."""
    sign_in = sign_in_of(HTTPConnection(scope))
    asked = b"" if sign_in is None else f"; connect-src 'self' {sign_in.origin}".encode()
    return b"content-security-policy", _PAGE_POLICY + asked


def _cache_control(headers: Headers) -> Headers:
    """Return the default ``Cache-Control``, unless the reply has its own."""
    return [] if b"cache-control" in dict(headers) else [_NO_STORE]


def _log_fields(scope: Scope, started_at: float) -> dict[str, Any]:
    """Return what is logged of a request: no address, query or text, and of the path only its pattern and ids."""
    route = scope.get("route")
    own: dict[str, Any] = scope["state"].get("facts", {})
    principal: Principal = scope["state"].get("principal", NOBODY)
    return {
        "caller": principal.subject,
        "method": scope.get("method", "WEBSOCKET"),
        "route": getattr(route, "path", None),
        "duration_ms": round((perf_counter() - started_at) * 1000, 2),
    } | own


def _internal_error(request_id: str) -> Problem:
    return Problem(
        status=500,
        type="server_error",
        code=IdolchatError.code,
        message=f"the server failed on this request; its log tells more under request id {request_id}",
    )


async def _deny_websocket(scope: Scope, send: Send, problem: Problem) -> None:
    """Refuse a socket with an HTTP error (ASGI's extension for it), or with a plain 403 under servers without it."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    body = problem.body(scope["state"]["request_id"])
    headers = [(b"content-type", b"application/json"), *problem_headers(problem)]
    await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
