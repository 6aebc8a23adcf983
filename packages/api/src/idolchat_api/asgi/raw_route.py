"""Routes whose requests go straight to an ASGI application, without the framework's layers."""

from __future__ import annotations

from typing import Any

from starlette.routing import Match, Route
from starlette.types import ASGIApp, Scope

__all__ = ["RawRoute"]


class RawRoute(Route):
    """A route with a handwritten OpenAPI description, which puts itself into the scope as FastAPI's routes do."""

    def __init__(self, method: str, path: str, endpoint: ASGIApp, *, name: str, operation: dict[str, Any]) -> None:
        super().__init__(path, endpoint, methods=[method], name=name)
        self.app = endpoint  # also where it is a function, which Starlette takes for a handler of requests
        self._method = method
        self._operation = operation

    def operations(self) -> dict[str, Any]:
        """The OpenAPI operation, by method."""
        return {self._method.lower(): {"operationId": self.name, **self._operation}}

    def query_parameters(self) -> list[dict[str, Any]]:
        """The OpenAPI descriptions of its query parameters."""
        return [one for one in self._operation.get("parameters", ()) if one["in"] == "query"]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope
