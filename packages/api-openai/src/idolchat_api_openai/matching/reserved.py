"""Ids of conversations that are no document yet: made before the first message, or given by a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from idolchat_api_openai.encoding import json_bytes
from idolchat_core import Storage, utc_now

__all__ = ["Reserved"]

NAMESPACE = "v1-conversations"


class Reserved:
    """Records ``{"conversation_id", "user_id", "created_at", "metadata"}``, by the id that clients use."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def put(
        self,
        name: UUID,
        user_id: UUID | None,
        *,
        meaning: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Keep an id, which is that of a conversation or means another; return the record. Raises ``StorageError``."""
        record = {
            "conversation_id": str(meaning or name),
            "user_id": str(user_id) if user_id else None,
            "created_at": int(utc_now().timestamp()),
            "metadata": metadata or {},
        }
        await self._storage.put_record(NAMESPACE, str(name), json_bytes(record))
        return record

    async def get(self, name: UUID) -> dict[str, Any] | None:
        """Return what is kept of an id."""
        kept = await self._storage.get_record(NAMESPACE, str(name))
        found: dict[str, Any] | None = orjson.loads(kept) if kept else None
        return found

    async def meant(self, name: UUID) -> UUID | None:
        """Return the conversation that an id means."""
        kept = await self.get(name)
        return UUID(kept["conversation_id"]) if kept else None

    async def belongs_to(self, name: UUID, user_id: object) -> bool:
        """Return whether an id was made for a user."""
        kept = await self.get(name)
        return kept is not None and kept["user_id"] == (str(user_id) if user_id else None)

    async def delete(self, name: UUID) -> None:
        """Forget an id."""
        await self._storage.delete_record(NAMESPACE, str(name))
