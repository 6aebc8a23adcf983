"""The HTTP and WebSocket server of idolchat."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idolchat_api.app import create_app
    from idolchat_api.app_state import CurrentCaller
    from idolchat_api.auth.caller import Caller
    from idolchat_api.errors import BodyTooLarge, MalformedRequest, NotFound, PreconditionFailed
    from idolchat_api.http.authorization import Access, Wants
    from idolchat_api.routes.plugins import RouteRegistry
    from idolchat_api.server import serve
    from idolchat_api.settings.api import ApiSettings

__all__ = [
    "Access",
    "ApiSettings",
    "BodyTooLarge",
    "Caller",
    "CurrentCaller",
    "MalformedRequest",
    "NotFound",
    "PreconditionFailed",
    "RouteRegistry",
    "Wants",
    "create_app",
    "serve",
]

_WHERE = {
    "Access": "http.authorization",
    "ApiSettings": "settings.api",
    "BodyTooLarge": "errors",
    "Caller": "auth.caller",
    "CurrentCaller": "app_state",
    "MalformedRequest": "errors",
    "NotFound": "errors",
    "PreconditionFailed": "errors",
    "RouteRegistry": "routes.plugins",
    "Wants": "http.authorization",
    "create_app": "app",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that the command line can read settings and keys without the server."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
