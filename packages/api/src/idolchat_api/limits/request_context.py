"""The caller's key, address and trace, set in the context of each request."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Scope

from idolchat_api.auth.principal import Principal
from idolchat_api.limits.request_rates import address_of
from idolchat_api.observability.traceparent import valid_traceparent
from idolchat_core.request_context import CALLER, CallerInfo

__all__ = ["set_key", "set_request_context"]

_KEY = "key:"


def set_request_context(scope: Scope, headers: Mapping[bytes, bytes], principal: Principal) -> CallerInfo:
    """Set the context that everything started by this request inherits."""
    given = headers.get(b"traceparent")
    origin = CallerInfo(
        key_id=_key_id(principal),
        address=address_of(scope, principal),
        traceparent=valid_traceparent(given.decode("latin-1")) if given else None,
    )
    CALLER.set(origin)
    return origin


def set_key(principal: Principal) -> None:
    """Set the key of a caller who authenticates over an open socket."""
    key_id = _key_id(principal)
    if CALLER.get().key_id != key_id:
        CALLER.set(CALLER.get()._replace(key_id=key_id))


def _key_id(principal: Principal) -> str | None:
    return principal.subject.removeprefix(_KEY) if principal.subject.startswith(_KEY) else None
