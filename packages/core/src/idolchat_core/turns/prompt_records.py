"""Explanations of prompts, kept for some days beside the conversations; they go with what they speak of."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from uuid import UUID

from pydantic import ValidationError

from idolchat_core.errors import StorageError
from idolchat_core.models import StoredId, utc_now
from idolchat_core.prompt.explanation import PromptExplanation
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.filters import ConversationFilter

__all__ = ["PromptRecords", "forget_explanations", "forget_naming", "forget_prompts"]

log = logging.getLogger(__name__)

_NAMESPACE = "prompts."
_DAY = "%Y%m%d"
_PAGE = 100


class PromptRecords:
    """Records named by day and turn, in a namespace for each conversation."""

    def __init__(self, storage: Storage, *, kept_days: int) -> None:
        self._storage = storage
        self._kept_days = kept_days
        self._saving: set[asyncio.Task[None]] = set()
        self._unsaved: dict[UUID, PromptExplanation] = {}

    def save(self, explanation: PromptExplanation) -> None:
        """Keep an explanation, in the background: a turn does not wait for it."""
        self._unsaved[explanation.turn_id] = explanation
        task = asyncio.create_task(self._save(explanation))
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)

    async def find(self, conversation_id: UUID, turn_id: UUID) -> PromptExplanation | None:
        """Return the explanation of a turn's prompt; None where it is not kept. Raises ``StorageUnavailable``."""
        if turn_id in self._unsaved:
            return self._unsaved[turn_id]
        namespace = _namespace(conversation_id)
        for name in await self._storage.list_records(namespace):
            if name.endswith(f".{turn_id}"):
                value = await self._storage.get_record(namespace, name)
                try:
                    return PromptExplanation.model_validate_json(value or b"")
                except ValidationError:
                    log.warning("an explanation of a prompt cannot be read", extra={"turn_id": str(turn_id)})
        return None

    async def prune(self) -> None:
        """Remove what is too old. Raises ``StorageUnavailable``."""
        oldest = (utc_now() - timedelta(days=self._kept_days)).strftime(_DAY)
        for namespace in await self._storage.list_namespaces():
            if namespace.startswith(_NAMESPACE):
                for name in await self._storage.list_records(namespace):
                    if name.partition(".")[0] < oldest:
                        await self._storage.delete_record(namespace, name)

    async def close(self) -> None:
        """Wait for what is being saved."""
        if self._saving:
            await asyncio.wait(self._saving)

    async def _save(self, explanation: PromptExplanation) -> None:
        name = f"{explanation.made_at.strftime(_DAY)}.{explanation.turn_id}"
        value = explanation.model_dump_json(exclude_none=True).encode()
        try:
            await self._storage.put_record(_namespace(explanation.conversation_id), name, value, durable=False)
        except StorageError as error:
            log.warning("an explanation of a prompt cannot be kept", extra={"code": error.code})
        finally:
            self._unsaved.pop(explanation.turn_id, None)


async def forget_explanations(storage: Storage, user_id: StoredId | None, naming: str) -> None:
    """Remove the explanations of a user's prompts that name an id: of a message, a note, another conversation.

    Raises ``StorageUnavailable``.
    """
    before: str | None = None
    while True:
        page = await storage.list(ConversationFilter(user_id=user_id), limit=_PAGE, before=before)
        for summary in page.data:
            if str(summary.user_id) == str(user_id) and str(summary.id) != naming:  # its own name it all
                await forget_naming(storage, summary.id, naming)
        before = page.next
        if before is None:
            return


async def forget_naming(storage: Storage, conversation_id: UUID, naming: str) -> None:
    """Remove the explanations of a conversation's prompts that name an id. Raises ``StorageUnavailable``."""
    namespace = _namespace(conversation_id)
    for name in await storage.list_records(namespace):
        value = await storage.get_record(namespace, name)
        if value is not None and naming.encode() in value:
            await storage.delete_record(namespace, name)


async def forget_prompts(storage: Storage, conversation_id: UUID) -> None:
    """Remove what was kept of a conversation's prompts. Raises ``StorageUnavailable``."""
    namespace = _namespace(conversation_id)
    for name in await storage.list_records(namespace):
        await storage.delete_record(namespace, name)


def _namespace(conversation_id: UUID) -> str:
    return f"{_NAMESPACE}{conversation_id}"
