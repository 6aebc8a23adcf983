"""A storage made of little: for back ends that keep whole values by key, as object stores and key-value stores do."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from idolchat_core.errors import ConversationDamaged, ConversationExists, ConversationNotFound, StorageConflict
from idolchat_core.models import Conversation, ConversationList, Message, Page, StoredId
from idolchat_core.storage import document, integrity, maintenance, pagination
from idolchat_core.storage.contract import Storage, check_record_name
from idolchat_core.storage.expectations import check_count, check_revision, is_repeated
from idolchat_core.storage.filters import EVERYTHING, ConversationFilter
from idolchat_core.storage.maintenance import Repair
from idolchat_core.storage.record_log import namespaces_among
from idolchat_core.storage.records import RecordPages, check_record_version, record_version

__all__ = ["KeyValueStorage"]

_LONG_BYTES = 256 * 1024
"""Reading a longer document takes so many milliseconds that others must not wait for it."""


class KeyValueStorage(Storage):
    """Every conversation is one value, read and written whole: simple, and slower the longer a conversation is.

    ``put``, ``append`` and the other changes end in ``put_value``; ``put_document`` hands it the bytes as they are.
    Writers in this process are put in order, one a conversation; between processes the last one wins, so let one
    process write. Records that are written with ``if_version`` are compared, by ``replace_value``. ``list`` and
    ``find_turn`` read everything: a back end that can do better overrides them.
    Keys are ``conversations/<uuid>.json``, unless ``document_key`` says otherwise, and ``records/<namespace>/<name>``.
    """

    def __init__(self) -> None:
        self._writers: WeakValueDictionary[UUID | str, asyncio.Lock] = WeakValueDictionary()
        self._pages = RecordPages()

    @abstractmethod
    async def get_value(self, key: str) -> bytes | None:
        """Read a value; None when it is certain that there is none. Raises ``StorageUnavailable``."""

    @abstractmethod
    async def put_value(self, key: str, value: bytes) -> None:
        """Write a value in place of what is there, all or nothing, durable when it returns."""

    @abstractmethod
    async def delete_value(self, key: str) -> None:
        """Remove a value; that there is none is no error."""

    async def replace_value(self, key: str, value: bytes | None, *, expected: bytes | None) -> bool:
        """Write a value (None: remove it) if ``expected`` is what is there (None: nothing); return whether it was.

        As it stands here it is simply written: writers of this process have been kept apart, and ``expected`` was read
        just now. A back end that can compare as it writes overrides this, and keeps those of other processes apart too.
        """
        await (self.delete_value(key) if value is None else self.put_value(key, value))
        return True

    @abstractmethod
    async def list_keys(self, prefix: str) -> Sequence[str]:
        """List the keys that begin with ``prefix``, in any order."""

    def document_key(self, conversation_id: UUID) -> str:
        """Name the value that a conversation is; a back end that names it otherwise overrides ``list_ids`` too."""
        return f"conversations/{conversation_id}.json"

    async def write(self, conversation: Conversation) -> bytes:
        """Write a conversation's document and return it; a back end that keeps facts beside it adds them here."""
        data = document.encode(conversation)
        await self.put_value(self.document_key(conversation.id), data)
        return data

    async def write_grown(self, conversation: Conversation, *, new: int, on: str | None) -> bytes:
        """Write a document as ``write`` does, which had the revision ``on`` (None: there was none) and got messages.

        A back end that can keep the last ``new`` of its messages by themselves for a while overrides this, and the
        methods that read.
        """
        return await self.write(conversation)

    async def holds(self, conversation_id: UUID) -> bool:
        """Whether there is a conversation, damaged or not. Raises ``StorageUnavailable``."""
        return await self.get_value(self.document_key(conversation_id)) is not None

    async def create(self, conversation: Conversation) -> str:
        async with self._writing(conversation.id):
            if await self.holds(conversation.id):
                raise ConversationExists(f"there is a conversation {conversation.id} already")
            return document.digest(await self.write_grown(conversation, new=len(conversation.messages), on=None))

    async def append(
        self,
        conversation_id: UUID,
        messages: Sequence[Message],
        *,
        expected_count: int,
        updated_at: datetime,
        head: StoredId | None = None,
        expected_revision: str | None = None,
    ) -> str | None:
        async with self._writing(conversation_id):
            old, revision = await self._load(conversation_id)
            if is_repeated(old.messages, messages, expected_count=expected_count):
                return None
            check_count(conversation_id, len(old.messages), expected_count)
            check_revision(conversation_id, revision, expected_revision)
            if not messages:
                return revision
            fields = old.model_dump(exclude={"messages", "head"}, exclude_unset=True) | {"updated_at": updated_at}
            fields |= {} if head is None else {"head": head}
            grown = Conversation(**fields, messages=(*old.messages, *messages))
            return document.digest(await self.write_grown(grown, new=len(messages), on=revision))

    async def update(
        self,
        conversation_id: UUID,
        fields: Mapping[str, Any],
        *,
        expected_count: int,
        expected_revision: str | None = None,
    ) -> str:
        async with self._writing(conversation_id):
            old, revision = await self._load(conversation_id)
            check_count(conversation_id, len(old.messages), expected_count)
            check_revision(conversation_id, revision, expected_revision)
            kept = document.changed(old.model_dump(exclude={"messages"}, exclude_unset=True), fields)
            return document.digest(await self.write(Conversation(**kept, messages=old.messages)))

    async def replace_message(self, conversation_id: UUID, message: Message) -> None:
        async with self._writing(conversation_id):
            old, _ = await self._load(conversation_id)
            await self.write(document.with_message(old, message))

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        data = await self._data(conversation_id)
        whole = await _readable(data, conversation_id)
        total = len(whole.messages)
        end = total if before is None else max(0, min(before, total))
        start = max(0, end - limit)
        part = whole.model_copy(update={"messages": whole.messages[start:end]})
        return Page(conversation=part, start=start, total=total, revision=document.digest(data))

    async def read(self, conversation_id: UUID) -> Conversation:
        return await _readable(await self._data(conversation_id), conversation_id)

    async def read_document(self, conversation_id: UUID) -> bytes:
        return (await self.read_revised(conversation_id))[0]

    async def read_revised(self, conversation_id: UUID) -> tuple[bytes, str]:
        conversation, revision = await self._load(conversation_id)
        return document.encode(conversation), revision

    async def list(
        self, matching: ConversationFilter = EVERYTHING, *, limit: int = 20, before: str | None = None
    ) -> ConversationList:
        summaries = [pagination.summary(conversation) for conversation in await self._all()]
        return pagination.cut_list(summaries, matching, limit=limit, before=before)

    async def list_ids(self) -> Sequence[UUID]:
        ids = map(self._id_of, await self.list_keys("conversations/"))
        return [conversation_id for conversation_id in ids if conversation_id is not None]

    async def find_turn(self, turn_id: UUID) -> UUID | None:
        everything = await self._all()
        return next((c.id for c in everything if any(m.turn_id == turn_id for m in c.messages)), None)

    async def put(self, conversation: Conversation) -> None:
        async with self._writing(conversation.id):
            await self.write(conversation)

    async def put_document(self, conversation_id: UUID, data: bytes) -> None:
        async with self._writing(conversation_id):
            await self.put_value(self.document_key(conversation_id), data)

    async def delete(self, conversation_id: UUID, *, expected_revision: str | None = None) -> None:
        async with self._writing(conversation_id):
            revision = document.digest(await self._data(conversation_id))
            check_revision(conversation_id, revision, expected_revision)
            await self.delete_value(self.document_key(conversation_id))

    async def check(self) -> None:
        await self.put_value("records/idolchat/check", b"")

    async def read_stored(self, conversation_id: UUID) -> bytes:
        return await self._data(conversation_id)

    async def repair(self, conversation_id: UUID, *, dry_run: bool = False) -> Repair:
        async with self._writing(conversation_id):
            conversation = await self.read(conversation_id)
            issues = tuple(integrity.issues_of(conversation))
            kept_as = None
            if issues and not dry_run:
                kept_as = await maintenance.keep_aside(self, conversation_id, await self._data(conversation_id))
                await self.write(integrity.repaired(conversation))
        return maintenance.repair_of(conversation, issues, kept_as)

    async def get_record(self, namespace: str, name: str) -> bytes | None:
        return await self.get_value(_record_key(namespace, name))

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        key = _record_key(namespace, name)
        async with self._writing(key):
            if if_version is None:
                await self.put_value(key, value)
            else:
                await self._replace_record(namespace, name, value, if_version=if_version)
        self._pages.forget(namespace)
        return record_version(value)

    async def delete_record(self, namespace: str, name: str, *, if_version: str | None = None) -> None:
        key = _record_key(namespace, name)
        async with self._writing(key):
            if if_version is None:
                await self.delete_value(key)
            else:
                await self._replace_record(namespace, name, None, if_version=if_version)
        self._pages.forget(namespace)

    async def _replace_record(self, namespace: str, name: str, value: bytes | None, *, if_version: str) -> None:
        key = _record_key(namespace, name)
        found = await self.get_value(key)
        check_record_version(namespace, name, record_version(found), if_version)
        if (value, found) != (None, None) and not await self.replace_value(key, value, expected=found):
            raise StorageConflict(f"record {namespace}/{name} was changed just now; read it again")

    async def list_namespaces(self) -> Sequence[str]:
        return namespaces_among(key.split("/")[1] for key in await self.list_keys("records/"))

    async def list_records(self, namespace: str, *, after: str = "", limit: int | None = None) -> Sequence[str]:
        check_record_name(namespace)
        names = self._pages.following(namespace, after)
        if names is None:
            prefix = f"records/{namespace}/"
            names = sorted(key.removeprefix(prefix) for key in await self.list_keys(prefix))
        return self._pages.cut(namespace, names, after=after, limit=limit)

    @asynccontextmanager
    async def _writing(self, what: UUID | str) -> AsyncGenerator[None]:
        """Keep other writers of this process from a conversation, or from the value of a key."""
        lock = self._writers.setdefault(what, asyncio.Lock())
        async with lock:
            yield

    async def _data(self, conversation_id: UUID) -> bytes:
        data = await self.get_value(self.document_key(conversation_id))
        if data is None:
            raise ConversationNotFound(f"there is no conversation {conversation_id}")
        return data

    async def _load(self, conversation_id: UUID) -> tuple[Conversation, str]:
        """Read a conversation that can be changed, and its revision."""
        data = await self._data(conversation_id)
        return await _decoded(data, conversation_id), document.digest(data)

    def _id_of(self, key: str) -> UUID | None:
        """Return whose document a key names; other things may lie beside them."""
        try:
            conversation_id = UUID(key.removeprefix("conversations/").removesuffix(".json"))
        except ValueError:
            return None
        return conversation_id if self.document_key(conversation_id) == key else None

    async def _all(self) -> Sequence[Conversation]:
        return [await self.read(conversation_id) for conversation_id in await self.list_ids()]


async def _readable(data: bytes, conversation_id: UUID) -> Conversation:
    try:
        return await _decoded(data, conversation_id)
    except ConversationDamaged:
        return document.salvage(data, conversation_id)


async def _decoded(data: bytes, conversation_id: UUID) -> Conversation:
    if len(data) < _LONG_BYTES:
        return document.decode(data, conversation_id)
    return await asyncio.to_thread(document.decode, data, conversation_id)


def _record_key(namespace: str, name: str) -> str:
    check_record_name(namespace, name)
    return f"records/{namespace}/{name}"
