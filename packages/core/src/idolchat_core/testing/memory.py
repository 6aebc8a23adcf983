"""A storage that forgets, for tests: small, and right by the same kit as every other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from idolchat_core.errors import ConversationExists, ConversationNotFound
from idolchat_core.models import Conversation, ConversationList, ConversationSummary, Message, Page, StoredId
from idolchat_core.storage import document, pagination
from idolchat_core.storage.contract import Storage, check_record_name
from idolchat_core.storage.expectations import check_count, check_revision, is_repeated
from idolchat_core.storage.filters import EVERYTHING, ConversationFilter
from idolchat_core.storage.record_log import namespaces_among
from idolchat_core.storage.records import check_record_version, names_after, record_version

__all__ = ["InMemoryStorage"]


@dataclass(slots=True)
class _Stored:
    fixed: dict[str, Any]
    messages: list[Message]
    fields: dict[str, Any]
    revision: str

    @classmethod
    def of(cls, conversation: Conversation, *, revision: str) -> _Stored:
        opening, *lines, closing = document.encode(conversation).split(b"\n")
        return cls(
            document.parse_opening(opening),
            document.parse_lines(b"\n".join(lines)),
            document.parse_closing(b"\n" + closing),
            revision,
        )

    def check(self, conversation_id: UUID, expected_count: int, expected_revision: str | None) -> None:
        check_count(conversation_id, len(self.messages), expected_count)
        check_revision(conversation_id, self.revision, expected_revision)

    def conversation(self, conversation_id: UUID, *, start: int = 0, end: int | None = None) -> Conversation:
        fields = {**self.fixed, **self.fields, "messages": ()}
        without = document.from_parts({**fields, "messages": []}, conversation_id)
        return without.model_copy(update={"messages": tuple(self.messages[start:end])})

    def summary(self, conversation_id: UUID) -> ConversationSummary:
        told = {"updated_at": self.fields["updated_at"], "message_count": len(self.messages)}
        told["character_ids"] = self.fields.get("character_ids")
        return ConversationSummary.model_validate({**self.fixed, **told, "id": conversation_id})


class InMemoryStorage(Storage):
    """Keeps conversations and records while it lives, in the form that they would have on a disk."""

    def __init__(self) -> None:
        self._stored: dict[UUID, _Stored] = {}
        self._records: dict[tuple[str, str], bytes] = {}
        self._logs: dict[tuple[str, str], bytearray] = {}
        self._changes = 0

    async def create(self, conversation: Conversation) -> str:
        if conversation.id in self._stored:
            raise ConversationExists(f"there is a conversation {conversation.id} already")
        return self._keep(conversation)

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
        stored = self._found(conversation_id)
        # Through the written form, so that what a file cannot hold is refused, and nothing is shared with the caller.
        added = document.parse_lines(document.lines(messages, follows=False))
        if is_repeated(stored.messages, added, expected_count=expected_count):
            return None
        stored.check(conversation_id, expected_count, expected_revision)
        if not added:
            return stored.revision
        stored.messages.extend(added)
        stored.fields = {name: value for name, value in stored.fields.items() if name != "head"}
        stored.fields |= {"updated_at": updated_at} | ({} if head is None else {"head": str(head)})
        stored.revision = self._next_revision()
        return stored.revision

    async def update(
        self,
        conversation_id: UUID,
        fields: Mapping[str, Any],
        *,
        expected_count: int,
        expected_revision: str | None = None,
    ) -> str:
        stored = self._found(conversation_id)
        stored.check(conversation_id, expected_count, expected_revision)
        stored.fields = document.parse_closing(document.closing_of(document.changed(stored.fields, fields)))
        stored.revision = self._next_revision()
        return stored.revision

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        stored = self._found(conversation_id)
        total = len(stored.messages)
        end = total if before is None else max(0, min(before, total))
        start = max(0, end - limit)
        part = stored.conversation(conversation_id, start=start, end=end)
        return Page(conversation=part, start=start, total=total, revision=stored.revision)

    async def read(self, conversation_id: UUID) -> Conversation:
        return self._found(conversation_id).conversation(conversation_id)

    async def read_revised(self, conversation_id: UUID) -> tuple[bytes, str]:
        return await self.read_document(conversation_id), self._found(conversation_id).revision

    async def list(
        self, matching: ConversationFilter = EVERYTHING, *, limit: int = 20, before: str | None = None
    ) -> ConversationList:
        summaries = (stored.summary(key) for key, stored in self._stored.items())
        return pagination.cut_list(summaries, matching, limit=limit, before=before)

    async def find_turn(self, turn_id: UUID) -> UUID | None:
        return next(
            (key for key, stored in self._stored.items() if any(m.turn_id == turn_id for m in stored.messages)), None
        )

    async def put(self, conversation: Conversation) -> None:
        self._keep(conversation)

    async def delete(self, conversation_id: UUID, *, expected_revision: str | None = None) -> None:
        check_revision(conversation_id, self._found(conversation_id).revision, expected_revision)
        del self._stored[conversation_id]

    async def check(self) -> None:
        return None

    async def get_record(self, namespace: str, name: str) -> bytes | None:
        check_record_name(namespace, name)
        return self._records.get((namespace, name))

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        self._check_version(namespace, name, if_version)
        self._records[namespace, name] = value
        return record_version(value)

    async def delete_record(self, namespace: str, name: str, *, if_version: str | None = None) -> None:
        self._check_version(namespace, name, if_version)
        self._records.pop((namespace, name), None)

    async def list_namespaces(self) -> Sequence[str]:
        return namespaces_among(space for space, _ in (*self._records, *self._logs))

    async def list_records(self, namespace: str, *, after: str = "", limit: int | None = None) -> Sequence[str]:
        check_record_name(namespace)
        return names_after(sorted(name for space, name in self._records if space == namespace), after, limit)

    async def append_log(self, namespace: str, name: str, lines: bytes, *, durable: bool = True) -> None:
        check_record_name(namespace, name)
        self._logs.setdefault((namespace, name), bytearray()).extend(lines)

    async def read_log(self, namespace: str, name: str, *, start: int = 0) -> bytes:
        check_record_name(namespace, name)
        return bytes(self._logs.get((namespace, name), b"")[start:])

    async def list_logs(self, namespace: str) -> Sequence[str]:
        check_record_name(namespace)
        return sorted(name for space, name in self._logs if space == namespace)

    def _found(self, conversation_id: UUID) -> _Stored:
        try:
            return self._stored[conversation_id]
        except KeyError:
            raise ConversationNotFound(f"there is no conversation {conversation_id}") from None

    def _check_version(self, namespace: str, name: str, if_version: str | None) -> None:
        check_record_name(namespace, name)
        version = record_version(self._records.get((namespace, name)))
        check_record_version(namespace, name, version, if_version)

    def _next_revision(self) -> str:
        self._changes += 1
        return str(self._changes)

    def _keep(self, conversation: Conversation) -> str:
        stored = _Stored.of(conversation, revision=self._next_revision())
        self._stored[conversation.id] = stored
        return stored.revision
