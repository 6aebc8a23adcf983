"""Where a request comes from, told to those who count what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.types import Scope

from idolchat_api.auth.principal import Principal
from idolchat_api.limits.request_rates import address_of
from idolchat_api.observability.traceparent import valid_traceparent
from idolchat_core.request_context import ORIGIN, Origin

__all__ = ["tell_key", "tell_origin"]

_KEY = "key:"


def tell_origin(scope: Scope, headers: Mapping[bytes, bytes], principal: Principal) -> Origin:
    """Set the origin of whatever this request begins."""
    given = headers.get(b"traceparent")
    origin = Origin(
        key_id=_key_id(principal),
        address=address_of(scope, principal),
        traceparent=valid_traceparent(given.decode("latin-1")) if given else None,
    )
    ORIGIN.set(origin)
    return origin


def tell_key(principal: Principal) -> None:
    """Take in who is calling after all, over a socket that is open."""
    key_id = _key_id(principal)
    if ORIGIN.get().key_id != key_id:
        ORIGIN.set(replace(ORIGIN.get(), key_id=key_id))


def _key_id(principal: Principal) -> str | None:
    return principal.subject.removeprefix(_KEY) if principal.subject.startswith(_KEY) else None
