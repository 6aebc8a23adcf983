"""The contract of an authentication scheme."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from idolchat_api.auth.principal import Principal
from idolchat_core.storage.contract import Storage

__all__ = ["Authenticator"]


class Authenticator(ABC):
    """Finds the principal that a bearer token belongs to.

    A factory registered in ``idolchat_register_authenticators`` takes no arguments and returns an async context manager
    that gives one of these, and closes what it opened.
    """

    description: ClassVar[str] = "A bearer token."
    """What the OpenAPI document says of its tokens."""
    trusted_for_s: ClassVar[float] = 60.0
    """How long an answer may be used again, in seconds: a token that is withdrawn works as long. At most until the
    principal's ``expires_at``."""

    def use(self, storage: Storage) -> None:
        """Receive the open storage, once, before the first call: for schemes that keep records there."""
        return

    @abstractmethod
    async def authenticate(self, token: str) -> Principal:
        """Return the principal of a token.

        Raises ``Unauthenticated`` for every token that is not good, and another ``IdolchatError``, such as
        ``AuthUnavailable`` or ``StorageUnavailable``, when that cannot be told now.
        """
