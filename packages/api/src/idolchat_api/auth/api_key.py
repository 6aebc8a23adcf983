"""The scheme ``api-key``: keys whose hashes are stored as records of the storage."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

from pydantic import ValidationError

from idolchat_api.auth.authenticator import Authenticator
from idolchat_api.auth.keys import ApiKey, key_id_of
from idolchat_api.auth.principal import Principal
from idolchat_api.errors import Unauthenticated
from idolchat_core.errors import StorageError
from idolchat_core.models import utc_now
from idolchat_core.plugins.services import Services
from idolchat_core.storage.contract import Storage

__all__ = ["ApiKeys", "KeyRing", "open_api_keys"]

NAMESPACE = "api-keys"
_NOT_GOOD = "this API key is unknown, revoked or expired; `idol keys list` shows those there are"


class KeyRing:
    """The API keys of a storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def add(self, key: ApiKey) -> None:
        """Store a key."""
        await self._storage.put_record(NAMESPACE, key.id, key.model_dump_json(exclude_none=True).encode())

    async def find(self, key_id: str) -> ApiKey | None:
        """Find a key by its id. Raises ``StorageError`` if its record cannot be read."""
        kept = await self._storage.get_record(NAMESPACE, key_id)
        if kept is None:
            return None
        try:
            return ApiKey.model_validate_json(kept)
        except ValidationError as error:
            raise StorageError(
                f"what is kept of API key {key_id} cannot be read; revoke it and make another"
            ) from error

    async def ids(self) -> list[str]:
        """List the ids of all keys, revoked ones included."""
        return list(await self._storage.list_records(NAMESPACE))

    async def revoke(self, key: ApiKey, at: datetime) -> None:
        """Revoke a key; it stays in the list."""
        if key.revoked_at is None:
            await self.add(key.model_copy(update={"revoked_at": at}))

    async def forget(self, key_id: str) -> None:
        """Delete the record of a key, which revokes it too."""
        await self._storage.delete_record(NAMESPACE, key_id)


class ApiKeys(Authenticator):
    """Authenticates the keys that ``idol keys create`` made; a revoked one stops working within seconds."""

    description = "An API key, made by `idol keys create`."
    trusted_for_s = 3.0

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def authenticate(self, token: str) -> Principal:
        key_id = key_id_of(token)
        if key_id is None:
            raise Unauthenticated("this is no API key, or a mistyped one: they begin with idol_")
        key = await self._ring.find(key_id)
        if key is None or not key.is_for(token) or key.state(utc_now()) != "active":
            raise Unauthenticated(_NOT_GOOD)
        return key.principal()


@asynccontextmanager
async def open_api_keys(services: Services) -> AsyncGenerator[ApiKeys]:
    yield ApiKeys(KeyRing(services.storage))
