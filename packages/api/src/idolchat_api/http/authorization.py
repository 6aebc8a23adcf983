"""Authorization of routes: method and path give the required scope, and each id in the path is checked.

Routes that a program adds are protected too, and one whose path holds an id of an unknown kind stops the start.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from idolchat_api.app_state import app_state
from idolchat_api.auth.caller import Caller
from idolchat_api.auth.principal import NOBODY, Principal
from idolchat_api.auth.principal import Scope as Needed
from idolchat_api.errors import Unauthenticated
from idolchat_core.errors import ConfigurationError, InvalidRequest

__all__ = ["OPEN_PATHS", "SOCKET_PATHS", "protect_routes", "protected"]

OPEN_PATHS = frozenset({"/livez", "/readyz", "/health", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"})
"""Paths that anyone may call; ``/health`` and ``/readyz`` show strangers the status only."""
SOCKET_PATHS = frozenset({"/ws/chat"})
"""Sockets that authenticate by themselves, since a browser cannot send a header with the handshake."""
READS_WITH_OWNER = frozenset({"/conversation/{conversation_id}"})
"""Paths whose ``GET`` checks the owner of what it reads, so that the file is read once."""
ADMIN_PREFIX = "/admin/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_CONVERSATION, _TURN, _MESSAGE, _USER = "conversation_id", "turn_id", "message_id", "user_id"


def protect_routes(routes: Sequence[BaseRoute]) -> None:
    """Protect every route that is not protected yet. Raises ``ConfigurationError`` for one that cannot be."""
    for route in routes:
        if isinstance(route, Route):
            if not isinstance(route.app, _Protected) and route.path not in OPEN_PATHS:
                route.app = protected(route)
        elif not (isinstance(route, WebSocketRoute) and route.path in SOCKET_PATHS):
            raise ConfigurationError(
                f"the route {getattr(route, 'path', route)!s} is of a kind ({type(route).__name__}) of which the server"
                " cannot tell who may use it; add its paths as routes of their own"
            )


def protected(route: Route) -> _Protected:
    """Protect a route. Raises ``ConfigurationError`` where its path holds an id of an unknown kind."""
    names = set(_PARAMETER.findall(route.path))
    unknown = names - {_CONVERSATION, _TURN, _MESSAGE, _USER}
    if _MESSAGE in names and _CONVERSATION not in names:
        unknown.add(_MESSAGE)  # a message is its conversation's
    if unknown:
        raise ConfigurationError(
            f"the route {route.path} takes {min(unknown)!r}, and no rule says whose that is; name ids"
            f" {_CONVERSATION}, {_TURN} or {_USER}, and a {_MESSAGE} beside its {_CONVERSATION}"
        )
    if route.path in READS_WITH_OWNER and route.methods == {"GET"}:
        names.remove(_CONVERSATION)
    return _Protected(route.app, names, is_admin=route.path.startswith(ADMIN_PREFIX))


class _Protected:
    """Serves a request if its caller has the scope and may access the ids in its path."""

    def __init__(self, app: ASGIApp, names: set[str], *, is_admin: bool) -> None:
        self._app = app
        self._names = names
        self._is_admin = is_admin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal: Principal = scope["state"]["principal"]
        self._check_scope(principal, scope["method"])
        if self._names and principal.is_bound:
            app = app_state(scope)
            await self._check_ids(Caller(principal, app.service, app.policy), scope["path_params"])
        await self._app(scope, receive, send)

    def _check_scope(self, principal: Principal, method: str) -> None:
        needed = Needed.ADMIN if self._is_admin else Needed.READ if method in _SAFE else Needed.CHAT
        if principal is NOBODY:
            raise Unauthenticated("this asks for a token: send the header Authorization: Bearer <token>")
        principal.require(needed)

    async def _check_ids(self, caller: Caller, path: dict[str, object]) -> None:
        if _USER in self._names:
            caller.acting_for(_id(path, _USER))
        if _CONVERSATION in self._names:
            await caller.check_conversation(_id(path, _CONVERSATION))
        if _TURN in self._names:
            await caller.check_turn(_id(path, _TURN))


def _id(path: dict[str, object], name: str) -> UUID:
    try:
        return UUID(str(path[name]))
    except ValueError:
        raise InvalidRequest(f"{name}: must be a UUID", param=name) from None
