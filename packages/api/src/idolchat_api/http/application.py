"""FastAPI with direct dispatch of raw routes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from idolchat_api.asgi.direct_writes import withdraw_direct_write
from idolchat_api.asgi.raw_route import RawRoute
from idolchat_api.http.cors import CORS
from idolchat_api.http.host_guard import Guard
from idolchat_api.http.middleware import RequestMiddleware
from idolchat_api.http.path_prefix import take_prefix_off

__all__ = ["Application"]

_HEADER_ONLY: Collection[object] = (RequestMiddleware, CORS)
"""Middleware that does not change the parts of a body, and so need not see them."""


class Application(FastAPI):
    """Dispatches raw routes without path parameters directly, and everything else as FastAPI does.

    Through FastAPI, every request passes eight layers and every part of a stream two. Of these, a raw route needs only
    ``RequestMiddleware``, and ``CORS`` where it is used. With any other middleware, nothing is dispatched
    directly.
    """

    def __init__(self, *, guard: Guard, prefix: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._prefix = prefix
        self.add_middleware(RequestMiddleware, guard=guard)
        self._direct_stack: ASGIApp = _serve_raw
        self._raw: dict[tuple[str, str], RawRoute] = {}
        self._dispatches_directly = False

    def enable_direct_dispatch(self) -> None:
        """Collect the raw routes; call it when all routes have been added."""
        self._dispatches_directly = all(layer.cls in _HEADER_ONLY for layer in self.user_middleware)
        if self._dispatches_directly:
            self._direct_stack = _serve_raw  # an application may be started again
            for layer in reversed(self.user_middleware):
                self._direct_stack = layer.cls(self._direct_stack, *layer.args, **layer.kwargs)
            raw = [route for route in reversed(self.routes) if isinstance(route, RawRoute) and "{" not in route.path]
            self._raw = {(method, route.path): route for route in raw for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            take_prefix_off(scope, self._prefix)
        if scope["type"] == "http" and not scope.get("root_path"):
            route = self._raw.get((scope["method"], scope["path"]))
            if route is not None:
                scope["app"], scope["route"], scope["path_params"] = self, route, {}
                await self._direct_stack(scope, receive, send)
                return
        if not self._dispatches_directly:
            withdraw_direct_write(scope)
        await super().__call__(scope, receive, send)


async def _serve_raw(scope: Scope, receive: Receive, send: Send) -> None:
    app: ASGIApp = scope["route"].app
    await app(scope, receive, send)
