"""Errors over HTTP: one table of statuses, one envelope.

    {"error": {"message": "...", "type": "...", "code": "...", "param": "...", "request_id": "..."}}

``type`` groups the codes as OpenAI's API does: ``invalid_request_error``, ``rate_limit_error``, ``server_error``, and
``provider_error`` for what the model provider did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from idolchat_core import errors as core
from idolchat_core.errors import IdolchatError
from idolchat_core.events.events import TurnEnded
from idolchat_core.rate_limits import Quota

__all__ = [
    "AuthUnavailable",
    "BodyTooLarge",
    "Forbidden",
    "HostNotAllowed",
    "MalformedRequest",
    "NotFound",
    "OriginNotAllowed",
    "PreconditionFailed",
    "Problem",
    "TokenExpired",
    "TurnOver",
    "Unauthenticated",
    "UnsupportedMediaType",
    "problem_from",
    "problem_from_turn",
    "status_of",
]


class MalformedRequest(core.InvalidRequest):
    """The request cannot be read at all: broken JSON, a malformed header."""

    code = "malformed_request"


class UnsupportedMediaType(core.RequestError):
    """The body is not JSON, or is encoded."""

    code = "unsupported_media_type"


class BodyTooLarge(core.RequestError):
    """The body is larger than the server reads."""

    code = "body_too_large"


class PreconditionFailed(core.RequestError):
    """What the request was meant for has changed since (``If-Match``)."""

    code = "precondition_failed"


class TurnOver(core.RequestError):
    """The turn ended before it could be stopped."""

    code = "turn_over"


class Unauthenticated(core.RequestError):
    """The request has no token, or an invalid one."""

    code = "unauthenticated"


class TokenExpired(Unauthenticated):
    """The token has expired."""

    code = "token_expired"

    def __init__(self, message: str = "the token has expired") -> None:
        super().__init__(message)


class AuthUnavailable(core.IdolchatError):
    """The token cannot be checked at the moment."""

    code = "auth_unavailable"


class Forbidden(core.RequestError):
    """The caller may not do this."""

    code = "forbidden"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class NotFound(core.RequestError):
    """There is nothing with this id, or it is another user's."""

    code = "not_found"


class HostNotAllowed(core.RequestError):
    """The request was made to a name that is not this server's (DNS rebinding)."""

    code = "host_not_allowed"


class OriginNotAllowed(core.RequestError):
    """A web page of another origin made the request."""

    code = "origin_not_allowed"


_REQUEST, _RATE, _SERVER, _PROVIDER = "invalid_request_error", "rate_limit_error", "server_error", "provider_error"

STATUSES: Mapping[type[IdolchatError], tuple[int, str]] = {
    IdolchatError: (500, _SERVER),
    core.ConfigurationError: (500, _SERVER),
    core.PluginError: (500, _SERVER),
    core.PluginNotFound: (500, _SERVER),
    core.PluginNameTaken: (500, _SERVER),
    core.PluginBroken: (500, _SERVER),
    core.RequestError: (400, _REQUEST),
    MalformedRequest: (400, _REQUEST),
    Unauthenticated: (401, _REQUEST),
    TokenExpired: (401, _REQUEST),
    Forbidden: (403, _REQUEST),
    OriginNotAllowed: (403, _REQUEST),
    NotFound: (404, _REQUEST),
    PreconditionFailed: (412, _REQUEST),
    BodyTooLarge: (413, _REQUEST),
    UnsupportedMediaType: (415, _REQUEST),
    HostNotAllowed: (421, _REQUEST),
    AuthUnavailable: (503, _SERVER),
    core.InvalidRequest: (422, _REQUEST),
    core.ConversationMismatch: (409, _REQUEST),
    core.ConversationBusy: (409, _REQUEST),
    core.QueueFull: (429, _RATE),
    core.IdempotencyMismatch: (422, _REQUEST),
    core.TurnNotFound: (404, _REQUEST),
    core.TurnExpired: (410, _REQUEST),
    core.TurnNotRetryable: (409, _REQUEST),
    TurnOver: (409, _REQUEST),
    core.ShuttingDown: (503, _SERVER),
    core.SpendingStopped: (503, _SERVER),
    core.LimitReached: (429, _RATE),
    core.BudgetExceeded: (429, _RATE),
    core.StorageError: (500, _SERVER),
    core.ConversationNotFound: (404, _REQUEST),
    core.ConversationDamaged: (500, _SERVER),
    core.StorageConflict: (409, _REQUEST),
    core.RevisionMismatch: (412, _REQUEST),
    core.ConversationExists: (409, _REQUEST),
    core.StorageUnavailable: (503, _SERVER),
    core.DocumentRefused: (503, _SERVER),
    core.ProviderError: (502, _PROVIDER),
    core.ProviderUnavailable: (502, _PROVIDER),
    core.ProviderTimeout: (504, _PROVIDER),
    core.ReplyCut: (502, _PROVIDER),
    core.RateLimited: (429, _RATE),
    core.ContextTooLong: (400, _REQUEST),
    core.NotAuthorized: (502, _PROVIDER),  # our key is wrong, not the caller's
    core.PaymentRequired: (402, _PROVIDER),
    core.ModelNotFound: (404, _REQUEST),
    core.RequestRefused: (400, _PROVIDER),
}

_BY_CODE = {kind.code: status for kind, status in STATUSES.items()}

RETRY_AFTER_S = 1.0
"""When to come back where a server is replaced, or its storage is away, and nobody knows for how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as it is sent to clients. ``fields`` are further facts, such as the ``turn_id`` that can be retried."""

    status: int
    type: str
    code: str
    message: str
    param: str | None = None
    retry_after_s: float | None = None
    quotas: Sequence[Quota] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the object under ``error``, without the request id."""
        facts: dict[str, Any] = {"message": self.message, "type": self.type, "code": self.code}
        if self.param is not None:
            facts["param"] = self.param
        if self.retry_after_s is not None:
            facts["retry_after_s"] = math.ceil(self.retry_after_s * 1000) / 1000
        return facts | dict(self.fields)

    def body(self, request_id: str | None) -> bytes:
        """Encode the envelope."""
        return orjson.dumps({"error": {**self.as_dict(), "request_id": request_id}})


def status_of(kind: type[IdolchatError]) -> tuple[int, str]:
    """Return the HTTP status and the ``type`` of a class of errors."""
    return next(STATUSES[ancestor] for ancestor in kind.__mro__ if ancestor in STATUSES)


def problem_from(error: IdolchatError) -> Problem:
    """Describe an error for clients."""
    status, group = status_of(type(error))
    return Problem(
        status=_provider_said(error.status, status) if isinstance(error, core.ProviderError) else status,
        type=group,
        code=error.code,
        message=str(error),
        param=getattr(error, "param", None),
        retry_after_s=getattr(error, "retry_after_s", RETRY_AFTER_S if _is_passing(error) else None),
        quotas=getattr(error, "quotas", ()),
    )


def _is_passing(error: IdolchatError) -> bool:
    return isinstance(error, core.ShuttingDown | core.StorageUnavailable) and not isinstance(
        error, core.DocumentRefused
    )


def problem_from_turn(ended: TurnEnded, **fields: Any) -> Problem:
    """Describe a turn that ended without a complete reply."""
    error = ended.error or {"code": ended.state, "message": f"the turn ended as {ended.state}; retry it"}
    status, group = _BY_CODE.get(error["code"], STATUSES[core.ProviderError])
    return Problem(
        status=_provider_said(error.get("status"), status),
        type=group,
        code=error["code"],
        message=error["message"],
        retry_after_s=error.get("retry_after_s"),
        fields=fields,
    )


def _provider_said(provider_status: object, ours: int) -> int:
    return 408 if provider_status == 408 else ours
