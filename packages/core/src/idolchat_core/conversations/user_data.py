"""What is held about a user beside their conversations: records, lines of logs, and turns that are not stored yet.

A record or a line that is about a user is a JSON object that says so in ``user_id`` or ``user``; whoever keeps
something about users in a storage keeps to that, and it is exported and erased with the rest.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from typing import NamedTuple
from uuid import UUID

from pydantic_core import from_json

from idolchat_core.coordination.local import forget_unfinished
from idolchat_core.storage.contract import Storage
from idolchat_core.turns.prompt_records import forget_prompts

__all__ = ["HeldLines", "HeldRecord", "forget_turns", "is_about", "lines_about", "records_about", "users_named"]

_FIELDS = ("user_id", "user")
FOREIGN_USERS = "foreign-users"
"""Namespace of the records that say which id a user has elsewhere: ``user_id``, ``issuer`` and ``id``."""
_OURS = ("api-keys", FOREIGN_USERS, "spending", "turns")
"""Namespaces that are looked through where a store cannot list them, too."""


class HeldRecord(NamedTuple):
    """A record about a user."""

    namespace: str
    name: str
    value: bytes


class HeldLines(NamedTuple):
    """Lines about a user in one log."""

    namespace: str
    name: str
    lines: list[bytes]


async def users_named(storage: Storage, name: str) -> list[str]:
    """Return the ids of the users whom somebody else knows by this name; the name itself where it is an id of ours.

    Raises ``StorageUnavailable``.
    """
    try:
        return [str(UUID(name))]
    except ValueError:
        found = []
    for record in await storage.list_records(FOREIGN_USERS):
        value = await storage.get_record(FOREIGN_USERS, record)
        fields = from_json(value) if value is not None and name.encode() in value else {}
        if fields.get("id") == name:
            found.append(str(fields["user_id"]))
    return found or [name]


async def records_about(storage: Storage, user_id: str) -> AsyncGenerator[HeldRecord]:
    """Find the records about a user. Raises ``StorageUnavailable``."""
    for namespace in await _namespaces(storage):
        for name in await storage.list_records(namespace):
            value = await storage.get_record(namespace, name)
            if value is not None and is_about(value, user_id):
                yield HeldRecord(namespace, name, value)


async def lines_about(storage: Storage, user_id: str) -> AsyncGenerator[HeldLines]:
    """Find the lines about a user, by log. Raises ``StorageUnavailable``."""
    for namespace in await _namespaces(storage):
        for name in await storage.list_logs(namespace):
            log = await storage.read_log(namespace, name)
            lines = [line for line in log.splitlines() if is_about(line, user_id)]
            if lines:
                yield HeldLines(namespace, name, lines)


async def _namespaces(storage: Storage) -> list[str]:
    return sorted({*_OURS, *await storage.list_namespaces()})


def is_about(value: bytes, user_id: str) -> bool:
    """Return whether a record, or a line of a log, says that it is about a user."""
    if user_id.encode() not in value:  # most are about somebody else, and need not be read
        return False
    try:
        fields = from_json(value)
    except ValueError:
        return False
    return isinstance(fields, dict) and any(str(fields.get(field)) == user_id for field in _FIELDS)


async def forget_turns(storage: Storage, conversation_ids: Collection[UUID]) -> int:
    """Remove what was kept of turns in conversations that are deleted, and return how many were unfinished.

    A start after a crash would bring these back. Raises ``StorageUnavailable``.
    """
    count = await forget_unfinished(storage, lambda turn: turn.conversation_id in conversation_ids)
    for conversation_id in conversation_ids:
        await forget_prompts(storage, conversation_id)
    return count
