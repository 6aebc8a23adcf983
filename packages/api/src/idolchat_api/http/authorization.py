"""Authorization of routes: who may call each of them, and who may access the ids in its path.

Every route is protected before the server starts, also those that a program or a plugin adds. One that takes an id of
an unknown kind without a rule for it stops the start.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from idolchat_api.app_state import app_state, caller_of
from idolchat_api.auth.caller import Caller
from idolchat_api.auth.principal import NOBODY, Principal
from idolchat_api.auth.principal import Scope as Needed
from idolchat_api.errors import NotFound, Unauthenticated
from idolchat_api.http.query_parameters import check_query, declared_query
from idolchat_api.limits.request_context import set_request_context
from idolchat_core.errors import ConfigurationError, InvalidRequest

__all__ = [
    "OPEN_PATHS",
    "SOCKET_PATHS",
    "Access",
    "Identify",
    "MayAccess",
    "RouteRule",
    "Wants",
    "checks_owner",
    "protect_routes",
    "protected",
    "rule_of",
]

OPEN_PATHS = frozenset({"/livez", "/readyz", "/health", "/openapi.json"})
"""Built-in paths that anyone may call; ``/health`` and ``/readyz`` show strangers the status only."""
SOCKET_PATHS = frozenset({"/ws/chat"})
"""Sockets that authenticate by themselves, since a browser cannot send a header with the handshake."""
ADMIN_PREFIX = "/admin/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_CONVERSATION, _TURN, _MESSAGE, _USER = "conversation_id", "turn_id", "message_id", "user_id"
_BUILT_IN_IDS = frozenset({_CONVERSATION, _TURN, _USER})


class Access(StrEnum):
    """Who may call a route.

    ``open``: anyone, without a token. ``read``, ``chat``, ``admin``: callers with this scope. ``caller``: as the
    built-in routes, ``read`` for methods that change nothing and ``chat`` for the others.
    """

    OPEN = "open"
    CALLER = "caller"
    READ = "read"
    CHAT = "chat"
    ADMIN = "admin"

    def scope_for(self, method: str) -> Needed | None:
        """Return the scope that a request needs; None for an open route."""
        match self:
            case Access.OPEN:
                return None
            case Access.CALLER:
                return Needed.READ if method in _SAFE else Needed.CHAT
            case _:
                return Needed(self.value)


class Wants(StrEnum):
    """What a request wants of an id in its path: ``read`` with GET and HEAD, ``write`` with every other method."""

    READ = "read"
    WRITE = "write"


type Identify = Callable[[Scope, Caller], Awaitable[Principal]]
"""Returns who makes a request, given who its token says, which is ``NOBODY`` without one; it may be the same. Raises
``Unauthenticated``."""

type MayAccess = Callable[[Caller, str, Wants], Awaitable[bool]]
"""Returns whether a caller may access what has this id; False for an unknown id, too. The caller is ``NOBODY`` for
requests without a token to an open route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """The rights of a route: who may call it, and by the name of each id in its path who may access that.

    ``is_page`` routes answer with a page that may load scripts, styles and images of this server. ``identify`` says who
    is calling where something else than the token tells.
    """

    access: Access
    find: Mapping[str, MayAccess] = field(default_factory=dict)
    is_page: bool = False
    identify: Identify | None = None


_CHECKING_OWNER: set[object] = set()


def checks_owner[F: Callable[..., object]](endpoint: F) -> F:
    """Mark an endpoint that reads the conversation in its path through ``Caller``, which checks the owner as it reads.

    Authorization then does not read the conversation as well.
    """
    _CHECKING_OWNER.add(endpoint)
    return endpoint


def protect_routes(routes: Sequence[BaseRoute]) -> None:
    """Protect every route that is not protected yet. Raises ``ConfigurationError`` for one that cannot be."""
    for route in routes:
        if isinstance(route, Route):
            if not isinstance(route.app, _Protected):
                route.app = protected(route, RouteRule(access=_access_of(route.path)))
        elif not (isinstance(route, WebSocketRoute) and route.path in SOCKET_PATHS):
            raise ConfigurationError(
                f"the route {getattr(route, 'path', route)!s} is of a kind ({type(route).__name__}) of which the server"
                " cannot tell who may use it; add its paths as routes of their own"
            )


def _access_of(path: str) -> Access:
    if path in OPEN_PATHS:
        return Access.OPEN
    return Access.ADMIN if path.startswith(ADMIN_PREFIX) else Access.CALLER


def protected(route: Route, rule: RouteRule) -> ASGIApp:
    """Return the application of a route behind its rights. Raises ``ConfigurationError`` for an id without a rule."""
    names = set(_PARAMETER.findall(route.path))
    own = names & _BUILT_IN_IDS
    unknown = names - own - rule.find.keys()
    if _CONVERSATION in names:
        unknown.discard(_MESSAGE)  # a message is its conversation's
    if unknown:
        raise ConfigurationError(_no_rule(route.path, min(unknown)))
    if own and rule.access is Access.OPEN:
        raise ConfigurationError(
            f"the route {route.path} is open and takes {min(own)!r}, which strangers may not access; give it"
            " access=Access.CALLER"
        )
    if route.endpoint in _CHECKING_OWNER:
        own.discard(_CONVERSATION)
    find = {name: may for name, may in rule.find.items() if name in names}
    # What is open is for probes, which may add a parameter to get past a cache.
    query = None if rule.access is Access.OPEN else declared_query(route)
    return _Protected(route.app, rule, own_ids=own, find=find, query=query)


def rule_of(route: BaseRoute) -> RouteRule | None:
    """Return the rights of a route; None while it is not protected."""
    app = getattr(route, "app", None)
    return app.rule if isinstance(app, _Protected) else None


def _no_rule(path: str, name: str) -> str:
    return (
        f"the route {path} takes {name!r}, and no rule says who may access that: a plugin registers it with"
        f' registry.add_router(router, access=Access.CALLER, find={{"{name}": may}}), where `async def may(caller, id,'
        " wants) -> bool` returns False for an unknown id and for another user's; without a rule, a path may hold"
        f" {_CONVERSATION}, {_TURN}, {_USER}, and a {_MESSAGE} beside its {_CONVERSATION}"
    )


class _Protected:
    """Serves a request if its caller has the scope and may access the ids in its path."""

    def __init__(
        self,
        app: ASGIApp,
        rule: RouteRule,
        *,
        own_ids: set[str],
        find: Mapping[str, MayAccess],
        query: AbstractSet[str] | None,
    ) -> None:
        self.rule = rule
        self._query = query
        self._app = app
        self._own_ids = own_ids
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal: Principal = scope["state"]["principal"]
        if self.rule.identify is not None:
            principal = await self._identified(self.rule.identify, scope)
        needed = self.rule.access.scope_for(scope["method"])
        if needed is not None:
            if principal is NOBODY:
                raise Unauthenticated("this asks for a token: send the header Authorization: Bearer <token>")
            principal.require(needed)
        if scope["query_string"] and self._query is not None:
            check_query(scope["query_string"], self._query)
        if self._own_ids and principal.is_bound:
            await self._check_own_ids(caller_of(scope), scope["path_params"])
        if self._find:
            await self._check_others(caller_of(scope), scope)
        if self.rule.is_page:
            scope["state"]["is_page"] = True
        await self._app(scope, receive, send)

    async def _identified(self, identify: Identify, scope: Scope) -> Principal:
        """Find out who is calling, and count the request as theirs."""
        caller = caller_of(scope)
        principal = await identify(scope, caller)
        if principal is not caller.principal:
            scope["state"]["principal"] = principal
            set_request_context(scope, dict(scope["headers"]), principal)
            app_state(scope).rates.take(principal, None)
        return principal

    async def _check_own_ids(self, caller: Caller, path: dict[str, object]) -> None:
        if _USER in self._own_ids:
            caller.acting_for(_id(path, _USER))
        if _CONVERSATION in self._own_ids:
            await caller.check_conversation(_id(path, _CONVERSATION))
        if _TURN in self._own_ids:
            await caller.check_turn(_id(path, _TURN))

    async def _check_others(self, caller: Caller, scope: Scope) -> None:
        wants = Wants.READ if scope["method"] in _SAFE else Wants.WRITE
        for name, may in self._find.items():
            value = str(scope["path_params"][name])
            if not await may(caller, value, wants):
                raise NotFound(f"no {name.removesuffix('_id')} {value}")


def _id(path: dict[str, object], name: str) -> UUID:
    try:
        return UUID(str(path[name]))
    except ValueError:
        raise InvalidRequest(f"{name}: must be a UUID", param=name) from None
