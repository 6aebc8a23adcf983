"""Makes the errors of core: from error objects, statuses and broken connections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import orjson

from idolchat_core import (
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
from idolchat_llm_openrouter.error_kinds import can_be_retried, kind_of
from idolchat_llm_openrouter.error_object import ErrorObject, error_in, error_of_text
from idolchat_llm_openrouter.redaction import Redactor

__all__ = ["CallFailed", "ErrorMapper"]

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
        """Return the error, to be raised instead of this one, which forgets it: else each would refer to the other."""
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
        """Read a response whose status is no success; ``location`` and ``retry_after`` are headers."""
        if 300 <= status < 400:
            return self._redirected(status, location or "")
        try:
            error = error_in(orjson.loads(body))
        except orjson.JSONDecodeError:
            error = error_of_text(body)
        if status == HTTPStatus.NOT_FOUND and not _is_about_a_model(error):
            return self.nothing_there()
        failure = self.from_error(error or {}, status=status, retry_after_s=_seconds(retry_after))
        failure.body = body
        return failure

    def from_error(
        self, error: Mapping[str, Any], *, status: int | None = None, retry_after_s: float | None = None
    ) -> CallFailed:
        """Map an error object, of a response or amid a reply; an empty one by the status alone."""
        about = ErrorObject(error, status)
        kind = kind_of(about)
        words = None if _is_private(about, kind) else self._redactor.quoted(about.message)
        retry_after_s = retry_after_s if retry_after_s is not None else about.retry_after_s
        text = self._text(kind, about.code, about.status, words, retry_after_s)
        made = _made(kind, text, about.status, about.code, retry_after_s)
        return CallFailed(made, retryable=can_be_retried(kind, about), retry_after_s=retry_after_s)

    def malformed(self, what: str) -> CallFailed:
        """Return the error for a reply that is not what the API describes."""
        text = (
            f"{self._server} sent a reply that is broken at {what}; try again, or check that it speaks the OpenAI API"
        )
        return CallFailed(ProviderUnavailable(text), retryable=True)

    def not_the_api(self, content_type: str) -> CallFailed:
        """Return the error for another content type than that of a reply."""
        kind = content_type[:60] or "nothing"
        text = f"{self._server} sent {kind} instead of a reply; check OPENROUTER_BASE_URL and proxies on the way"
        return CallFailed(ProviderUnavailable(text), retryable=False)

    def compressed(self, coding: str) -> CallFailed:
        """Return the error for a compressed reply."""
        text = (
            f"{self._server} sent a reply compressed with {coding[:60]!r} though none was asked for;"
            " check proxies on the way"
        )
        return CallFailed(ProviderUnavailable(text), retryable=False)

    def cut(self, *, retryable: bool = True) -> CallFailed:
        """Return the error for a reply that ended before it was finished."""
        text = f"{self._server} ended the reply before it was finished; try again"
        return CallFailed(ReplyCut(text), retryable=retryable)

    def unreachable(self, why: str, *, retry_after_s: float | None = None) -> CallFailed:
        """Return the error for a server that cannot be reached, or no longer."""
        text = (
            f"{self._server} cannot be reached ({why}); check the network and OPENROUTER_BASE_URL, or try again later"
        )
        return CallFailed(ProviderUnavailable(text), retryable=True, retry_after_s=retry_after_s)

    def silent(self, limit_s: float, setting: str) -> CallFailed:
        """Return the error for a reply of which nothing came within ``limit_s`` seconds, the value of ``setting``."""
        text = f"{self._server} said nothing for {limit_s:g} s; try again, or raise {setting}"
        return CallFailed(ProviderTimeout(text), retryable=False)

    def too_slow(self, limit_s: float, setting: str) -> CallFailed:
        """Return the error for a reply that took longer than ``limit_s`` seconds, the value of ``setting``."""
        text = f"{self._server} did not finish within {limit_s:g} s; ask for less, or raise {setting}"
        return CallFailed(ProviderTimeout(text), retryable=False)

    def too_big(self, limit_bytes: int, what: str) -> CallFailed:
        """Return the error for ``what``, of which more than ``limit_bytes`` bytes came."""
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
        """Return the error for an address without an OpenAI API."""
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


def _made(
    kind: type[ProviderError], text: str, status: int | None, code: str | None, retry_after_s: float | None
) -> ProviderError:
    if kind is RateLimited:
        return RateLimited(text, retry_after_s=retry_after_s, status=status, provider_code=code)
    return kind(text, status=status, provider_code=code)


def _is_private(error: ErrorObject, kind: type[ProviderError]) -> bool:
    """Whether the message is about what was said, or about the key."""
    return kind is NotAuthorized or error.is_moderation or error.code == "content_policy_violation"


def _is_about_a_model(error: Mapping[str, Any] | None) -> bool:
    """Whether a 404 is the answer of an API, not of a server that has nothing at this path."""
    if not error:
        return False
    return (
        any(name in error for name in ("code", "type", "availability"))
        or "model" in ErrorObject(error, None).words.lower()
    )


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
