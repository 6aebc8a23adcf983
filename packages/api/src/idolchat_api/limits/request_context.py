"""Where a request comes from, told to those who count what it takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from starlette.types import Scope

from idolchat_api.auth.principal import Principal
from idolchat_api.limits.request_rates import address_of
from idolchat_core.request_context import CALLER, CallerInfo

__all__ = ["tell_key", "tell_origin", "valid_traceparent"]

_KEY = "key:"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, section 3.2; one of another form begins a new trace, so it is not passed on."""


def tell_origin(scope: Scope, headers: Mapping[bytes, bytes], principal: Principal) -> CallerInfo:
    """Set the origin of whatever this request begins."""
    given = headers.get(b"traceparent")
    origin = CallerInfo(
        key_id=_key_id(principal),
        address=address_of(scope, principal),
        traceparent=valid_traceparent(given.decode("latin-1")) if given else None,
    )
    CALLER.set(origin)
    return origin


def valid_traceparent(given: str | None) -> str | None:
    """Give the header, or None for one that names no parent."""
    return given if given and _TRACEPARENT.fullmatch(given) else None


def tell_key(principal: Principal) -> None:
    """Take in who is calling after all, over a socket that is open."""
    key_id = _key_id(principal)
    if CALLER.get().key_id != key_id:
        CALLER.set(replace(CALLER.get(), key_id=key_id))


def _key_id(principal: Principal) -> str | None:
    return principal.subject.removeprefix(_KEY) if principal.subject.startswith(_KEY) else None
