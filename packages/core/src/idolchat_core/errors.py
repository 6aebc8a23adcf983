"""Everything that goes wrong, in one tree.

    IdolchatError
    ├── ConfigurationError
    ├── PluginError          PluginNotFound · PluginNameTaken · PluginBroken
    ├── RequestError         InvalidRequest · ConversationMismatch · ConversationBusy · QueueFull
    │                        IdempotencyMismatch · TurnNotFound · TurnExpired · TurnNotRetryable · ShuttingDown
    │                        SpendingStopped · LimitReached ── BudgetExceeded
    ├── StorageError         ConversationNotFound · ConversationDamaged
    │                        StorageConflict ── ConversationExists · RevisionMismatch
    │                        StorageUnavailable ── DocumentRefused
    └── ProviderError        ProviderUnavailable ── ProviderTimeout · ReplyCut
                             RateLimited · ContextTooLong · NotAuthorized · PaymentRequired
                             ModelNotFound · RequestRefused

A class exists when someone would catch it; ``code`` names it on the wire and never changes once released.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from idolchat_core.models import Page
from idolchat_core.rate_limits import Quota

__all__ = [
    "BudgetExceeded",
    "ConfigurationError",
    "ContextTooLong",
    "ConversationBusy",
    "ConversationDamaged",
    "ConversationExists",
    "ConversationMismatch",
    "ConversationNotFound",
    "DocumentRefused",
    "IdempotencyMismatch",
    "IdolchatError",
    "InvalidRequest",
    "LimitReached",
    "ModelNotFound",
    "NotAuthorized",
    "PaymentRequired",
    "PluginBroken",
    "PluginError",
    "PluginNameTaken",
    "PluginNotFound",
    "ProviderError",
    "ProviderTimeout",
    "ProviderUnavailable",
    "QueueFull",
    "RateLimited",
    "ReplyCut",
    "RequestError",
    "RequestRefused",
    "RevisionMismatch",
    "ShuttingDown",
    "SpendingStopped",
    "StorageConflict",
    "StorageError",
    "StorageUnavailable",
    "TurnExpired",
    "TurnNotFound",
    "TurnNotRetryable",
]


class IdolchatError(Exception):
    """The root: its text says what was wanted, what was found, and what to do."""

    code: ClassVar[str] = "internal_error"


class ConfigurationError(IdolchatError):
    """A setting is missing or wrong; the text names the variable, what was found, and what to write."""

    code = "configuration_error"


class PluginError(IdolchatError):
    """A plugin cannot be used; the text names its distribution."""

    code = "plugin_error"


class PluginNotFound(PluginError):
    """Nothing is registered under the wanted name."""

    code = "plugin_not_found"


class PluginNameTaken(PluginError):
    """Two plugins register the same name."""

    code = "plugin_name_taken"


class PluginBroken(PluginError):
    """A plugin fails to import, or implements a hook that does not exist."""

    code = "plugin_broken"


class RequestError(IdolchatError):
    """The caller asked for something that cannot be done as it stands."""

    code = "invalid_request"


class InvalidRequest(RequestError):
    """A field is missing, malformed or refused.

    ``param`` is its path in the request, such as ``messages.0.role``.
    """

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class ConversationMismatch(RequestError):
    """The request names another user or character than the conversation has; ``param`` says which."""

    code = "conversation_mismatch"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class ConversationBusy(RequestError):
    """A turn is running in this conversation and ``on_busy`` is ``reject``."""

    code = "conversation_busy"


class QueueFull(RequestError):
    """Too many turns wait in this conversation, or run in this server."""

    code = "queue_full"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class IdempotencyMismatch(RequestError):
    """The idempotency key was used before with another request."""

    code = "idempotency_key_reused"


class TurnNotFound(RequestError):
    """No turn with this id."""

    code = "turn_not_found"


class TurnExpired(RequestError):
    """The turn is over and its events are no longer kept; its messages are in the conversation."""

    code = "turn_expired"


class TurnNotRetryable(RequestError):
    """The turn did not fail, or the conversation has moved on since."""

    code = "turn_not_retryable"


class ShuttingDown(RequestError):
    """The server is stopping and takes no new turns."""

    code = "shutting_down"


class SpendingStopped(RequestError):
    """Somebody has stopped all spending: no provider is called until it is resumed."""

    code = "spending_stopped"


class LimitReached(RequestError):
    """Too much was asked for in too short a time; ``quotas`` are the limits as they stand, see ``spending.quotas``."""

    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after_s: float, quotas: Sequence[Quota] = ()) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.quotas = quotas


class BudgetExceeded(LimitReached):
    """A budget for a day or a month is used up."""

    code = "insufficient_quota"


class StorageError(IdolchatError):
    """A storage back end cannot do what was asked."""

    code = "storage_error"


class ConversationNotFound(StorageError):
    """No conversation with this id: the store answered, and knows that it is not there."""

    code = "conversation_not_found"


class ConversationDamaged(StorageError):
    """The stored bytes cannot be read in full, so nothing may be written over them."""

    code = "conversation_damaged"


class StorageConflict(StorageError):
    """The conversation, or the record, is not as the writer believed; read it again.

    ``actual_count`` is the number of messages that a conversation holds, where known, and ``page`` the newest of them,
    where the store has read it on the way. ``is_added`` says that those of the page are all that were added since what
    the writer knows, and that none before them has changed.
    """

    code = "storage_conflict"

    def __init__(
        self, message: str, *, actual_count: int | None = None, page: Page | None = None, is_added: bool = False
    ) -> None:
        super().__init__(message)
        self.actual_count = actual_count
        self.page = page
        self.is_added = is_added


class ConversationExists(StorageConflict):
    """``create`` was asked for an id that is taken."""

    code = "conversation_exists"


class RevisionMismatch(StorageConflict):
    """The conversation has as many messages as the writer believed, but has been changed since it was read."""

    code = "revision_mismatch"


class StorageUnavailable(StorageError):
    """The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials.

    It never means that there is no history.
    """

    code = "storage_unavailable"


class DocumentRefused(StorageUnavailable):
    """The store is well, and does not take this one document as it is: too large, or of a kind that it refuses."""


class ProviderError(IdolchatError):
    """A model provider did not give a complete answer.

    ``status`` is the HTTP status it gave and ``provider_code`` its own word for the fault, where known.
    """

    code = "provider_error"

    def __init__(self, message: str, *, status: int | None = None, provider_code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.provider_code = provider_code


class ProviderUnavailable(ProviderError):
    """The provider cannot be reached, or failed on its side; the same request may succeed later."""

    code = "provider_unavailable"


class ProviderTimeout(ProviderUnavailable):
    """The provider was silent for too long."""

    code = "provider_timeout"


class ReplyCut(ProviderUnavailable):
    """The reply ended without saying that it was finished."""

    code = "reply_cut"


class RateLimited(ProviderError):
    """The provider wants fewer requests; ``retry_after_s`` is when it said to come back, in seconds."""

    code = "rate_limited"

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        status: int | None = None,
        provider_code: str | None = None,
    ) -> None:
        super().__init__(message, status=status, provider_code=provider_code)
        self.retry_after_s = retry_after_s


class ContextTooLong(ProviderError):
    """The prompt and the reply do not fit the model's context window."""

    code = "context_length_exceeded"


class NotAuthorized(ProviderError):
    """The provider refuses our credentials."""

    code = "provider_not_authorized"


class PaymentRequired(ProviderError):
    """The provider account has no credit left."""

    code = "payment_required"


class ModelNotFound(ProviderError):
    """The provider does not know, or no longer serves, this model."""

    code = "model_not_found"


class RequestRefused(ProviderError):
    """The provider will not answer this request: malformed for it, or against its content policy."""

    code = "request_refused"
