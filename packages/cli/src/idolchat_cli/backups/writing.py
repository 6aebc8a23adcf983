"""Everything of a storage, into a backup, while others write to it."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import aclosing
from dataclasses import dataclass, field
from uuid import UUID

from idolchat_cli.conversations.exporting.reading import read_documents
from idolchat_cli.conversations.exporting.writers import Archive
from idolchat_cli.progress import progress
from idolchat_core.errors import ConversationNotFound
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.maintenance import damaged_records

__all__ = ["Written", "write_backup"]


@dataclass(slots=True)
class Written:
    """What was written; ``damaged`` conversations are in it with their bytes as they are.

    ``damaged_records`` are not in it.
    """

    conversations: int = 0
    records: int = 0
    logs: int = 0
    damaged: list[UUID] = field(default_factory=list)
    damaged_records: list[str] = field(default_factory=list)


async def write_backup(storage: Storage, archive: Archive, *, records: Collection[str] = ()) -> Written:
    """Write all that was there when it began, each conversation as it stood at one moment.

    Records go first, so that a turn that runs meanwhile is in the backup as one that runs, or with its reply, or both,
    which a start brings together. Logs go last, so that the ledger has every call of which there is a reply. Of the
    namespaces ``records`` it is told which cannot be read.
    """
    written = Written(damaged_records=[str(key) async for key in damaged_records(storage, records)])
    namespaces = sorted({*records, *await storage.list_namespaces()})
    for namespace in namespaces:
        await _write_records(storage, archive, namespace, written)
    await _write_conversations(storage, archive, written)
    for namespace in namespaces:
        for name in await storage.list_logs(namespace):
            archive.add_file(f"logs/{namespace}/{name}", await storage.read_log(namespace, name))
            written.logs += 1
    return written


async def _write_records(storage: Storage, archive: Archive, namespace: str, written: Written) -> None:
    for name in await storage.list_records(namespace):
        value = await storage.get_record(namespace, name)
        if value is not None:
            archive.add_file(f"records/{namespace}/{name}", value)
            written.records += 1


async def _write_conversations(storage: Storage, archive: Archive, written: Written) -> None:
    ids = await storage.list_ids()
    with progress("Backing up", total=len(ids), unit="conversations") as bar:
        async with aclosing(read_documents(storage, ids)) as documents:
            async for one in documents:
                if one.is_damaged:
                    await _write_damaged(storage, archive, one.conversation_id, written)
                elif one.data is not None:
                    archive.add_file(f"conversations/{one.conversation_id}.json", one.data)
                    written.conversations += 1
                bar.advance()


async def _write_damaged(storage: Storage, archive: Archive, conversation_id: UUID, written: Written) -> None:
    try:
        data = await storage.read_stored(conversation_id)
    except ConversationNotFound:
        return  # it was deleted meanwhile
    archive.add_file(f"damaged/{conversation_id}", data)
    written.damaged.append(conversation_id)
