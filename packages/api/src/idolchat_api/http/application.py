"""FastAPI, with a short way past its layers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from idolchat_api.asgi.direct_writes import without_outlet
from idolchat_api.asgi.raw_route import RawRoute
from idolchat_api.http.host_guard import Guard
from idolchat_api.http.middleware import Surroundings

__all__ = ["Application"]

_OF_HEADS: Collection[object] = (Surroundings, CORSMiddleware)
"""Layers that pass on the pieces of a body as they are, and so need not see them."""


class Application(FastAPI):
    """Serves raw routes without parameters straight from their path, and everything else as FastAPI does.

    On the long way every request passes eight layers, and every piece of a stream two; all that they would do for a
    raw route is done by ``Surroundings``, and by ``CORSMiddleware`` where it is there. There is only the long way while
    the application has any other middleware.
    """

    def __init__(self, *, guard: Guard, **options: Any) -> None:
        super().__init__(**options)
        self.add_middleware(Surroundings, guard=guard)
        self._short_way: ASGIApp = _serve_raw
        self._raw: dict[tuple[str, str], RawRoute] = {}
        self._sees_heads_alone = False

    def open_short_way(self) -> None:
        """Find the raw routes; to be done when all routes are there."""
        self._sees_heads_alone = all(layer.cls in _OF_HEADS for layer in self.user_middleware)
        if self._sees_heads_alone:
            self._short_way = _serve_raw  # also where it was opened before: an application may be started again
            for layer in reversed(self.user_middleware):
                self._short_way = layer.cls(self._short_way, *layer.args, **layer.kwargs)
            raw = [route for route in reversed(self.routes) if isinstance(route, RawRoute) and "{" not in route.path]
            self._raw = {(method, route.path): route for route in raw for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what an ASGI server passes on."""
        if scope["type"] == "http" and not scope.get("root_path"):
            route = self._raw.get((scope["method"], scope["path"]))
            if route is not None:
                scope["app"], scope["route"], scope["path_params"] = self, route, {}
                await self._short_way(scope, receive, send)
                return
        if not self._sees_heads_alone:
            without_outlet(scope)
        await super().__call__(scope, receive, send)


async def _serve_raw(scope: Scope, receive: Receive, send: Send) -> None:
    app: ASGIApp = scope["route"].app
    await app(scope, receive, send)
