"""The HTTP and WebSocket server of idolchat."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idolchat_api.app import create_app
    from idolchat_api.app_state import CurrentCaller, caller_of, sign_in_of
    from idolchat_api.asgi.raw_route import RawRoute
    from idolchat_api.asgi.requests import idempotency_key, invalid_request, read_json
    from idolchat_api.asgi.responses import send_json
    from idolchat_api.auth.caller import Caller
    from idolchat_api.auth.principal import Principal, Scope
    from idolchat_api.errors import (
        BodyTooLarge,
        Forbidden,
        MalformedRequest,
        NotFound,
        PreconditionFailed,
        Problem,
        Unauthenticated,
        problem_from_turn,
    )
    from idolchat_api.http.authorization import Access, Identify, Wants
    from idolchat_api.routes.plugins import RouteRegistry
    from idolchat_api.server import serve
    from idolchat_api.settings.api import ApiSettings
    from idolchat_api.streaming.completions import usage_fields
    from idolchat_api.streaming.forms import TurnForm
    from idolchat_api.streaming.turn_response import respond

__all__ = [
    "Access",
    "ApiSettings",
    "BodyTooLarge",
    "Caller",
    "CurrentCaller",
    "Forbidden",
    "Identify",
    "MalformedRequest",
    "NotFound",
    "PreconditionFailed",
    "Principal",
    "Problem",
    "RawRoute",
    "RouteRegistry",
    "Scope",
    "TurnForm",
    "Unauthenticated",
    "Wants",
    "caller_of",
    "create_app",
    "idempotency_key",
    "invalid_request",
    "problem_from_turn",
    "read_json",
    "respond",
    "send_json",
    "serve",
    "sign_in_of",
    "usage_fields",
]

_WHERE = {
    "Access": "http.authorization",
    "ApiSettings": "settings.api",
    "BodyTooLarge": "errors",
    "Caller": "auth.caller",
    "CurrentCaller": "app_state",
    "Forbidden": "errors",
    "Identify": "http.authorization",
    "MalformedRequest": "errors",
    "NotFound": "errors",
    "PreconditionFailed": "errors",
    "Principal": "auth.principal",
    "Problem": "errors",
    "RawRoute": "asgi.raw_route",
    "RouteRegistry": "routes.plugins",
    "Scope": "auth.principal",
    "TurnForm": "streaming.forms",
    "Unauthenticated": "errors",
    "Wants": "http.authorization",
    "caller_of": "app_state",
    "create_app": "app",
    "idempotency_key": "asgi.requests",
    "invalid_request": "asgi.requests",
    "problem_from_turn": "errors",
    "read_json": "asgi.requests",
    "respond": "streaming.turn_response",
    "send_json": "asgi.responses",
    "serve": "server",
    "sign_in_of": "app_state",
    "usage_fields": "streaming.completions",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that the command line can read settings and keys without the server."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
