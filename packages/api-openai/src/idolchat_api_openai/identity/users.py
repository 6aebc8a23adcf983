"""Users as others name them: a UUID is taken as it is, any other id becomes one and is kept beside it."""

from __future__ import annotations

from uuid import UUID, uuid5

from idolchat_api_openai.encoding import json_bytes
from idolchat_core import Storage, utc_now

__all__ = ["NAMESPACE", "ForeignUsers", "id_of"]

NAMESPACE = "foreign-users"
"""Of the records that say which id of which issuer a user's is."""
MAX_KEPT = 10_000
_IDS = UUID("6f0d5e0e-5f0b-5d6e-8c39-6b2c9f3a7d41")


def id_of(issuer: str, name: str) -> UUID:
    """Return the id of a user whom somebody else names: UUIDv5 (RFC 9562) of issuer and id, or the id itself."""
    try:
        return UUID(name)
    except ValueError:
        return uuid5(_IDS, f"{issuer}\0{name}")


class ForeignUsers:
    """Keeps which id of which issuer a user's is, so that people find them by either."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._kept: set[UUID] = set()

    async def user(self, issuer: str, name: str) -> UUID:
        """Return the id of a user. Raises ``StorageUnavailable``."""
        user_id = id_of(issuer, name)
        if user_id not in self._kept and str(user_id) != name.lower():
            record = {"user_id": str(user_id), "issuer": issuer, "id": name, "since": utc_now().isoformat()}
            if await self._storage.get_record(NAMESPACE, str(user_id)) is None:
                await self._storage.put_record(NAMESPACE, str(user_id), json_bytes(record))
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept.add(user_id)
        return user_id
