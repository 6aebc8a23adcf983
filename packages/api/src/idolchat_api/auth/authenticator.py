"""The contract of an authentication scheme."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from idolchat_api.auth.principal import Principal
from idolchat_api.auth.sign_in import SignIn

__all__ = ["Authenticator"]


class Authenticator(ABC):
    """Finds the principal that a bearer token belongs to.

    A factory registered in ``idolchat_register_authenticators`` takes the open ``Services`` and returns an async
    context manager that yields one of these, and closes what it opened.
    """

    description: ClassVar[str] = "A bearer token."
    """What the OpenAPI document says of its tokens."""
    trusted_for_s: ClassVar[float] = 60.0
    """How long an answer may be used again, in seconds: a token that is withdrawn works as long. At most until the
    principal's ``expires_at``."""

    @property
    def sign_in(self) -> SignIn | None:
        """Where a page of this server gets such a token for a person; None where it cannot."""
        return None

    @abstractmethod
    async def authenticate(self, token: str) -> Principal:
        """Return the principal of a token.

        Raises ``Unauthenticated`` for every token that is not good, and another ``IdolchatError``, such as
        ``AuthUnavailable`` or ``StorageUnavailable``, when that cannot be told now.
        """
