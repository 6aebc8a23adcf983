"""What goes wrong, in the words of core: from statuses, error objects and broken connections.

Sources: OpenRouter's error reference and OpenAPI description (read 2026-08-22), whose codes are listed below; OpenAI,
vLLM and llama.cpp's server for theirs. ``code`` may be a number or a word, or missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import orjson

from idolchat_core.errors import (
    ContextTooLong,
    ModelNotFound,
    NotAuthorized,
    PaymentRequired,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    ReplyCut,
    RequestRefused,
)
from idolchat_llm_openrouter.redaction import Redactor

__all__ = ["CallFailed", "ErrorMapper"]

KINDS: dict[str, type[ProviderError]] = {
    **dict.fromkeys(
        ("context_length_exceeded", "token_limit_exceeded", "string_too_long", "exceed_context_size_error"),
        ContextTooLong,
    ),
    **dict.fromkeys(("authentication", "invalid_api_key", "authentication_error"), NotAuthorized),
    **dict.fromkeys(("payment_required", "insufficient_quota"), PaymentRequired),
    **dict.fromkeys(("rate_limit_exceeded", "capacity_exhausted"), RateLimited),
    **dict.fromkeys(("provider_overloaded", "provider_unavailable", "temporarily_unavailable"), ProviderUnavailable),
    **dict.fromkeys(("server", "server_error"), ProviderUnavailable),
    "timeout": ProviderTimeout,
    **dict.fromkeys(
        (
            "model_not_found", "no_endpoints", "model_deprecated", "model_unavailable_upstream", "region_restricted",
            "privacy_restricted", "constraint_filtered", "free_variant_ended",
        ),
        ModelNotFound,
    ),
    **dict.fromkeys(
        (
            "wrong_endpoint", "max_tokens_exceeded", "invalid_request", "invalid_prompt", "precondition_failed",
            "payload_too_large", "unprocessable", "content_policy_violation", "refusal", "invalid_image",
        ),
        RequestRefused,
    ),
}  # fmt: skip

STATUSES: dict[int, type[ProviderError]] = {
    401: NotAuthorized, 402: PaymentRequired, 403: NotAuthorized, 404: ModelNotFound, 407: ProviderUnavailable,
    408: ProviderTimeout, 425: ProviderUnavailable, 429: RateLimited, 504: ProviderTimeout, 524: ProviderTimeout,
}  # fmt: skip

PHRASES: dict[type[ProviderError], tuple[str, str]] = {
    ContextTooLong: (
        "cannot take a prompt this long",
        "shorten the conversation, lower max_tokens or choose a model with a larger context",
    ),
    NotAuthorized: ("refuses the key", "check OPENROUTER_API_KEY and what its account may use"),
    PaymentRequired: ("wants payment", "add credit to the account or raise the limit of the key"),
    RateLimited: ("wants fewer requests", "try again later"),
    ProviderUnavailable: ("failed", "try again later"),
    ProviderTimeout: ("took too long", "try again later"),
    ModelNotFound: ("does not serve {model}", "choose a model that it lists"),
    RequestRefused: ("refuses the request", "change what it names"),
}

PHRASES_BY_CODE = {
    "moderation": ("refuses what was said, by its content policy", "say it otherwise or choose another model"),
    "region_restricted": ("does not offer {model} in this region", "choose another model"),
    "privacy_restricted": ("has nobody who serves {model} within the account's privacy settings", "change either"),
    "constraint_filtered": ("has nobody who serves {model} within the limits of the request", "loosen its `provider`"),
    "wrong_endpoint": ("does not do chat completions with {model}", "choose another model"),
}

TOO_LONG = re.compile(
    r"context.?(length|window|size)|prompt is too long|reduce the length of the (messages|prompt)", re.IGNORECASE
)
UNKNOWN_MODEL = re.compile(r"not a valid model|model.{0,80}(not found|does not exist)", re.IGNORECASE)
WORD = re.compile(r"[A-Za-z][\w.-]{0,63}")
CLIENT_FAULTS = (400, 404, 413, 422)


class CallFailed(Exception):
    """A ``ProviderError`` on its way out, with what a retry needs to know.

    ``body`` is what the server answered; it may hold what must not be shown.
    """

    def __init__(self, error: ProviderError, *, retryable: bool, retry_after_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.body = b""
        self.retryable = retryable
        self.retry_after_s = retry_after_s

    def released(self) -> ProviderError:
        """Give the error, to be raised in our place: it will refer to us, and if we did to it, that were a ring."""
        error = self.error
        del self.error
        return error


class ErrorMapper:
    """Makes the errors of one request; ``server`` and ``model`` are named in their texts."""

    def __init__(self, server: str, redactor: Redactor, *, model: str | None = None) -> None:
        self._server = server
        self._redactor = redactor
        self._model = model

    def from_response(self, status: int, body: bytes, *, location: str | None, retry_after: str | None) -> CallFailed:
        """Read a response whose status is not a success; ``location`` and ``retry_after`` are headers."""
        if 300 <= status < 400:
            return self._redirected(status, location or "")
        try:
            reply = orjson.loads(body)
        except orjson.JSONDecodeError:
            reply = None
        told = reply if isinstance(reply, dict) else {}
        if status == HTTPStatus.NOT_FOUND and not _error_of(told):
            return self.nothing_there()
        failure = self.from_body(told, status=status, retry_after_s=_seconds(retry_after))
        failure.body = body
        return failure

    def from_body(
        self, reply: Mapping[str, Any], *, status: int | None, retry_after_s: float | None = None
    ) -> CallFailed:
        """Read an error object, in a response or amid a reply; without one, the status alone."""
        error = _error_of(reply)
        about = _ErrorObject(error, status)
        kind = about.kind()
        words = None if about.is_private(kind) else self._redactor.quoted(about.message)
        retry_after_s = retry_after_s if retry_after_s is not None else about.retry_after_s
        text = self._text(kind, about.code, about.status, words, retry_after_s)
        retryable = issubclass(kind, ProviderUnavailable | RateLimited) and about.may_retry is not False
        return CallFailed(
            _failure_of(kind, text, about.status, about.code, retry_after_s),
            retryable=retryable,
            retry_after_s=retry_after_s,
        )

    def malformed(self, what: str) -> CallFailed:
        """Say that a reply is not what the API describes."""
        text = (
            f"{self._server} sent a reply that is broken at {what}; try again, or check that it speaks the OpenAI API"
        )
        return CallFailed(ProviderUnavailable(text), retryable=True)

    def not_the_api(self, content_type: str) -> CallFailed:
        """Say that a page came instead of a reply."""
        kind = content_type[:60] or "nothing"
        text = f"{self._server} sent {kind} instead of a reply; check OPENROUTER_BASE_URL and proxies on the way"
        return CallFailed(ProviderUnavailable(text), retryable=False)

    def compressed(self, coding: str) -> CallFailed:
        """Say that a reply came compressed."""
        text = (
            f"{self._server} sent a reply compressed with {coding[:60]!r} though none was asked for;"
            " check proxies on the way"
        )
        return CallFailed(ProviderUnavailable(text), retryable=False)

    def cut(self, *, retryable: bool = True) -> CallFailed:
        """Say that a reply ended without its finish."""
        text = f"{self._server} ended the reply before it was finished; try again"
        return CallFailed(ReplyCut(text), retryable=retryable)

    def unreachable(self, why: str, *, retry_after_s: float | None = None) -> CallFailed:
        """Say that there is no connection, or none any more."""
        text = (
            f"{self._server} cannot be reached ({why}); check the network and OPENROUTER_BASE_URL, or try again later"
        )
        return CallFailed(ProviderUnavailable(text), retryable=True, retry_after_s=retry_after_s)

    def silent(self, limit_s: float, setting: str) -> CallFailed:
        """Say that nothing of a reply came in time, and which setting holds the limit."""
        text = f"{self._server} said nothing for {limit_s:g} s; try again, or raise {setting}"
        return CallFailed(ProviderTimeout(text), retryable=False)

    def too_slow(self, limit_s: float, setting: str) -> CallFailed:
        """Say that the whole reply took too long."""
        text = f"{self._server} did not finish within {limit_s:g} s; ask for less, or raise {setting}"
        return CallFailed(ProviderTimeout(text), retryable=False)

    def too_big(self, limit_bytes: int, what: str) -> CallFailed:
        """Say that more came than is read."""
        text = f"{self._server} sent {what} of more than {limit_bytes} bytes, which is not read further"
        return CallFailed(ProviderUnavailable(text), retryable=False)

    def _redirected(self, status: int, location: str) -> CallFailed:
        where = self._redactor.quoted(location.partition("?")[0]) or "elsewhere"
        text = (
            f"{self._server} redirects to {where} (HTTP {status}), and a key is not sent after a redirect;"
            " set OPENROUTER_BASE_URL to where the API is"
        )
        return CallFailed(ProviderError(text, status=status), retryable=False)

    def nothing_there(self) -> CallFailed:
        """Say that the address leads nowhere."""
        text = (
            f"{self._server} has no OpenAI API at this address (HTTP 404);"
            " check the path of OPENROUTER_BASE_URL, which often ends in /v1"
        )
        return CallFailed(ProviderError(text, status=404), retryable=False)

    def _text(
        self, kind: type[ProviderError], code: str | None, status: int | None, words: str | None, wait_s: float | None
    ) -> str:
        model = f"the model {self._model[:100]!r}" if self._model else "the account's default model"
        says, advice = PHRASES_BY_CODE.get(code or "") or PHRASES[kind]
        known = [f"HTTP {status}"] if status else []
        known += [code] if code else []
        facts = f" ({', '.join(known)})" if known else ""
        quote = f": {words.rstrip('.;')}" if words else ""
        if wait_s is not None:
            advice = f"try again in {wait_s:g} s"
        return f"{self._server} {says.format(model=model)}{facts}{quote}; {advice}"


class _ErrorObject:
    """What an error object says."""

    def __init__(self, error: Mapping[str, Any], status: int | None) -> None:
        availability = _mapping(error.get("availability"))
        metadata = _mapping(error.get("metadata"))
        words = (availability.get("code"), metadata.get("error_type"), error.get("error_type"), error.get("code"))
        self._codes = [code for code in (*words, error.get("type")) if isinstance(code, str) and WORD.fullmatch(code)]
        self._metadata = metadata
        self.code = "moderation" if self._is_moderation() else next(iter(self._codes), None)
        self.status = status or _status(error.get("code")) or _status(error.get("http_status"))
        self.message = metadata["raw"] if isinstance(metadata.get("raw"), str) else error.get("message")
        self.may_retry = availability.get("retryable")
        self.retry_after_s = _number(availability.get("retry_after"))

    def kind(self) -> type[ProviderError]:
        if self._is_moderation():
            return RequestRefused
        known = next((KINDS[code] for code in self._codes if code in KINDS), None)
        if known and known is not RequestRefused:
            return known
        if self.status in CLIENT_FAULTS and isinstance(self.message, str):
            if TOO_LONG.search(self.message):
                return ContextTooLong
            if UNKNOWN_MODEL.search(self.message):
                return ModelNotFound
        return known or _kind_of_status(self.status)

    def is_private(self, kind: type[ProviderError]) -> bool:
        """Tell whether the message is about what was said, or about the key."""
        return kind is NotAuthorized or self._is_moderation() or self.code == "content_policy_violation"

    def _is_moderation(self) -> bool:
        return any(name in self._metadata for name in ("flagged_input", "reasons", "patterns"))


def _kind_of_status(status: int | None) -> type[ProviderError]:
    if status in STATUSES:
        return STATUSES[status]
    return RequestRefused if status and 400 <= status < 500 else ProviderUnavailable


def _failure_of(
    kind: type[ProviderError], text: str, status: int | None, code: str | None, retry_after_s: float | None
) -> ProviderError:
    if kind is RateLimited:
        return RateLimited(text, retry_after_s=retry_after_s, status=status, provider_code=code)
    return kind(text, status=status, provider_code=code)


def _error_of(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find the error object; vLLM puts its fields at the top, some servers give a text."""
    error = reply.get("error")
    if isinstance(error, str):
        return {"message": error}
    if isinstance(error, dict):
        return error
    return reply if reply.get("object") == "error" else {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _status(code: object) -> int | None:
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    return code if isinstance(code, int) and 400 <= code < 600 else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value >= 0 else None


def _seconds(retry_after: str | None) -> float | None:
    """Read Retry-After: seconds or a date (RFC 9110, section 10.2.3)."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (when.astimezone(UTC) - datetime.now(UTC)).total_seconds())
