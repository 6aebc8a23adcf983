"""A path prefix that a proxy serves us under: routes do not know it, and addresses that we give away do."""

from __future__ import annotations

import re

from starlette.types import Scope

__all__ = ["prefix_of", "set_prefix", "take_prefix_off"]

_KEY = "idolchat.prefix"
_PREFIX = re.compile(r"(?:/[\w.~-]+){1,8}")


def set_prefix(scope: Scope, told: bytes) -> None:
    """Set the prefix that a trusted proxy sends (``X-Forwarded-Prefix``); one that is no path is ignored."""
    prefix = told.decode("latin-1").strip().rstrip("/")
    if _PREFIX.fullmatch(prefix):
        scope[_KEY] = prefix


def take_prefix_off(scope: Scope, configured: str) -> None:
    """Remove the prefix from a path that has it; some proxies have removed it already."""
    prefix = scope.setdefault(_KEY, configured)
    path: str = scope["path"]
    if prefix and path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
        scope["path"] = path[len(prefix) :] or "/"
        raw = scope.get("raw_path")
        if raw is not None and raw.startswith(prefix.encode()):
            scope["raw_path"] = raw[len(prefix.encode()) :] or b"/"


def prefix_of(scope: Scope) -> str:
    """Return the prefix of addresses that a client can use."""
    prefix: str = scope.get(_KEY, "")
    return prefix
