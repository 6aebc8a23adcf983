"""The route of files under ``/``, which takes every path."""

from __future__ import annotations

from starlette.routing import BaseRoute

__all__ = ["EVERY_PATH", "is_catch_all"]

EVERY_PATH = "/{file:path}"


def is_catch_all(route: BaseRoute) -> bool:
    """Return whether a route serves the files under ``/``, and so must be matched last."""
    return getattr(route, "path", None) == EVERY_PATH
