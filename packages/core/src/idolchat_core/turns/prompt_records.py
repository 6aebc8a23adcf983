"""Explanations of prompts, kept for some days beside the conversations; they go with what they speak of."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from datetime import timedelta
from itertools import batched
from uuid import UUID
from weakref import WeakKeyDictionary

from pydantic import ValidationError

from idolchat_core.errors import StorageError
from idolchat_core.models import StoredId, utc_now
from idolchat_core.prompt.explanation import BuiltPrompt, PromptExplanation
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.filters import ConversationFilter

__all__ = ["PromptRecords", "forget_explanations", "forget_naming", "forget_prompts"]

log = logging.getLogger(__name__)

WRITE_EVERY_S = 1.0
"""What the turns of a second have for explanations is written together; a crash may cost those."""

MAX_UNWRITTEN = 1_000
_NAMESPACE = "prompts."
_DAY = "%Y%m%d"
_PAGE = 100
_AT_ONCE = 64


class _Unwritten:
    """What is still to be written of the explanations of a storage, by conversation; written by one at a time."""

    def __init__(self) -> None:
        self.prompts: dict[UUID, list[BuiltPrompt]] = {}
        self.writing = asyncio.Lock()
        self.count = 0

    def add(self, prompt: BuiltPrompt) -> None:
        self.prompts.setdefault(prompt.conversation_id, []).append(prompt)
        self.count += 1

    def drop(self, conversation_id: UUID) -> None:
        self.count -= len(self.prompts.pop(conversation_id, ()))

    async def write(self, storage: Storage, conversation_ids: Iterable[UUID]) -> None:
        async with self.writing:
            for some in batched(conversation_ids, _AT_ONCE):
                await asyncio.gather(*[self._write(storage, one) for one in some])

    async def _write(self, storage: Storage, conversation_id: UUID) -> None:
        """Write what there is of a conversation as one record, which can be found meanwhile."""
        prompts = list(self.prompts.get(conversation_id, ()))
        if not prompts:
            return
        first = prompts[0]
        name = f"{first.made_at.strftime(_DAY)}.{first.turn_id}"
        name += f".{len(prompts)}" if len(prompts) > 1 else ""
        value = b"\n".join([prompt.to_json() for prompt in prompts])
        try:
            await storage.put_record(_namespace(conversation_id), name, value, durable=False)
        except StorageError as error:
            facts = {"code": error.code, "count": len(prompts)}
            log.warning("explanations of prompts cannot be kept", extra=facts)
        finally:
            self._written(conversation_id, len(prompts))

    def _written(self, conversation_id: UUID, count: int) -> None:
        held = self.prompts.pop(conversation_id, [])  # none where they were dropped meanwhile
        self.count -= len(held[:count])
        if left := held[count:]:
            self.prompts[conversation_id] = left


_unwritten: WeakKeyDictionary[Storage, _Unwritten] = WeakKeyDictionary()


def _unwritten_of(storage: Storage) -> _Unwritten:
    return _unwritten.setdefault(storage, _Unwritten())


class PromptRecords:
    """Records in a namespace for each conversation, each of one or more explanations, named by day and first turn."""

    def __init__(self, storage: Storage, *, kept_days: int) -> None:
        self._storage = storage
        self._kept_days = kept_days
        self._unwritten = _unwritten_of(storage)
        # What several processes serve is asked for in another one at once.
        self._pause_s = 0.0 if storage.is_shared else WRITE_EVERY_S
        self._writer: asyncio.Task[None] | None = None
        self._is_due = asyncio.Event()

    def save(self, prompt: BuiltPrompt) -> None:
        """Keep what explains a prompt, in the background: a turn does not wait for it."""
        self._unwritten.add(prompt)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        elif self._unwritten.count >= MAX_UNWRITTEN:
            self._is_due.set()

    async def find(self, conversation_id: UUID, turn_id: UUID) -> PromptExplanation | None:
        """Return the explanation of a turn's prompt; None where it is not kept. Raises ``StorageUnavailable``."""
        for prompt in self._unwritten.prompts.get(conversation_id, ()):
            if prompt.turn_id == turn_id:
                return prompt.explanation()
        wanted = str(turn_id).encode()
        async for _, lines in _records(self._storage, conversation_id, of_turn=turn_id):
            for line in lines:
                if wanted in line and (explanation := _read(line)) is not None and explanation.turn_id == turn_id:
                    return explanation
        return None

    def drop(self, conversation_id: UUID) -> None:
        """Keep nothing of a conversation that is not written yet."""
        self._unwritten.drop(conversation_id)

    async def prune(self) -> None:
        """Remove what is too old. Raises ``StorageUnavailable``."""
        oldest = (utc_now() - timedelta(days=self._kept_days)).strftime(_DAY)
        for namespace in await self._storage.list_namespaces():
            if namespace.startswith(_NAMESPACE):
                for name in await self._storage.list_records(namespace):
                    if name.partition(".")[0] < oldest:
                        await self._storage.delete_record(namespace, name)

    async def close(self) -> None:
        """Write what is left."""
        self._is_due.set()
        if self._writer is not None:
            await asyncio.wait({self._writer})

    async def _write(self) -> None:
        if self._pause_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_due.wait(), self._pause_s)
        while self._unwritten.prompts:
            await self._unwritten.write(self._storage, list(self._unwritten.prompts))
        self._writer = None


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
    await _unwritten_of(storage).write(storage, [conversation_id])
    namespace = _namespace(conversation_id)
    async for name, lines in _records(storage, conversation_id):
        left = [line for line in lines if naming.encode() not in line]
        if not left:
            await storage.delete_record(namespace, name)
        elif len(left) < len(lines):
            await storage.put_record(namespace, name, b"\n".join(left))


async def forget_prompts(storage: Storage, conversation_id: UUID) -> None:
    """Remove what was kept of a conversation's prompts. Raises ``StorageUnavailable``."""
    unwritten = _unwritten_of(storage)
    async with unwritten.writing:
        unwritten.drop(conversation_id)
    namespace = _namespace(conversation_id)
    for name in await storage.list_records(namespace):
        await storage.delete_record(namespace, name)


async def _records(
    storage: Storage, conversation_id: UUID, *, of_turn: UUID | None = None
) -> AsyncGenerator[tuple[str, list[bytes]]]:
    """Read the records of a conversation, newest first, as lines; those alone where a turn may be."""
    namespace = _namespace(conversation_id)
    for name in reversed(await storage.list_records(namespace)):
        _, turn_id, *count = name.split(".")
        if of_turn is None or count or turn_id == str(of_turn):
            value = await storage.get_record(namespace, name)
            if value is not None:
                yield name, value.split(b"\n")


def _read(line: bytes) -> PromptExplanation | None:
    try:
        return PromptExplanation.model_validate_json(line)
    except ValidationError:
        log.warning("an explanation of a prompt cannot be read")
        return None


def _namespace(conversation_id: UUID) -> str:
    return f"{_NAMESPACE}{conversation_id}"
