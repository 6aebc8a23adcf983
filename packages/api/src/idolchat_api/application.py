"""FastAPI, with a short way past its layers."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from idolchat_api.guard import Guard
from idolchat_api.middleware import Surroundings
from idolchat_api.routes.raw import RawRoute
from idolchat_api.streaming.outlet import without_outlet

__all__ = ["Application"]


class Application(FastAPI):
    """Serves raw routes without parameters straight from their path, and everything else as FastAPI does.

    On the long way every request passes eight layers, and every piece of a stream two; all that they would do for a
    raw route is done by ``Surroundings``. There is only the long way while the application has any other middleware.
    """

    def __init__(self, *, guard: Guard, **options: Any) -> None:
        super().__init__(**options)
        self.add_middleware(Surroundings, guard=guard)
        self._short_way = Surroundings(_serve_raw, guard=guard)
        self._raw: dict[tuple[str, str], RawRoute] = {}

    def open_short_way(self) -> None:
        """Find the raw routes; to be done when all routes are there."""
        if len(self.user_middleware) == 1:
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
        if len(self.user_middleware) > 1:
            without_outlet(scope)
        await super().__call__(scope, receive, send)


async def _serve_raw(scope: Scope, receive: Receive, send: Send) -> None:
    app: ASGIApp = scope["route"].app
    await app(scope, receive, send)
