"""API keys: their form, and the record that is stored of each.

A key is ``idol_<id>_<secret><check>``: 12 characters that name it, 43 of a random secret of 256 bits, and 6 that tell a
mistyped key without looking it up. Only the SHA-256 of the whole is kept; a slow hash is for passwords, which can be
guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from idolchat_api.auth.principal import Principal, Scope
from idolchat_core.models import utc_now

__all__ = ["ApiKey", "key_id_of"]

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_SECRET_CHARACTERS, _CHECK_CHARACTERS, _HINT_CHARACTERS = 43, 6, 4
_SHAPE = re.compile(r"idol_([a-z2-7]{12})_[0-9A-Za-z]{49}")


class ApiKey(BaseModel):
    """The record of a key. ``hint`` is the key's last four characters."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: Annotated[str, Field(max_length=100)] = ""
    hash: str
    hint: str
    scopes: frozenset[Scope]
    user_id: UUID | None = None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    @classmethod
    def make(
        cls,
        *,
        scopes: frozenset[Scope],
        name: str = "",
        user_id: UUID | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[str, Self]:
        """Make a key and its record. The key itself cannot be recovered later."""
        key_id = "".join(secrets.choice(_ID_LETTERS) for _ in range(12))
        begun = f"idol_{key_id}_{_base62(secrets.randbits(256), width=_SECRET_CHARACTERS)}"
        key = begun + _check_of(begun)
        kept = cls(
            id=key_id,
            name=name,
            hash=_hash(key),
            hint=key[-_HINT_CHARACTERS:],
            scopes=scopes,
            user_id=user_id,
            created_at=utc_now(),
            expires_at=expires_at,
        )
        return key, kept

    def is_for(self, key: str) -> bool:
        """Return whether this is the record of a key, in constant time."""
        return hmac.compare_digest(self.hash, _hash(key))

    def state(self, now: datetime) -> str:
        """Return ``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def principal(self) -> Principal:
        """Return the principal of a caller with this key."""
        return Principal(
            subject=f"key:{self.id}",
            scopes=self.scopes,
            user_id=self.user_id,
            expires_at=self.expires_at,
            is_trusted=self.user_id is None,
        )


def key_id_of(key: str) -> str | None:
    """Return the id in a key; None if it is malformed or mistyped."""
    shape = _SHAPE.fullmatch(key)
    if shape is None or _check_of(key[:-_CHECK_CHARACTERS]) != key[-_CHECK_CHARACTERS:]:
        return None
    return shape[1]


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _check_of(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), width=_CHECK_CHARACTERS)


def _base62(number: int, *, width: int) -> str:
    letters = []
    for _ in range(width):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(reversed(letters))
