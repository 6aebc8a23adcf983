"""A backup, put back into a storage and compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import IO
from uuid import UUID

from idolchat_cli.backups.archive import files_of
from idolchat_cli.progress import progress
from idolchat_core.conversations.migration import add_to_log, says_the_same
from idolchat_core.storage.contract import Storage

__all__ = ["Restored", "holds_anything", "restore_backup"]

_BATCH = 128


@dataclass(slots=True)
class Restored:
    """What was put back and is there; ``differing`` names the files of the backup that are not."""

    conversations: int = 0
    records: int = 0
    logs: int = 0
    damaged: list[UUID] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)


async def holds_anything(storage: Storage) -> bool:
    """Return whether a storage holds conversations, records or logs."""
    return bool(await storage.list_ids()) or bool(await storage.list_namespaces())


async def restore_backup(storage: Storage, stream: IO[bytes], path: str) -> Restored:
    """Put everything back, then read all of it again and compare.

    What the storage holds under the same names is replaced, what it holds besides stays; a log that is not the
    beginning of the backup's is left as it is, and differs. Raises ``BackupDamaged``, which names the path, before
    anything is written. The stream is read several times.
    """
    count = sum(1 for _ in files_of(stream, path))
    with progress("Restoring", total=2 * count, unit="files") as bar:
        for some in batched(files_of(stream, path), _BATCH):
            await _put(storage, some)
            bar.advance(len(some))
        restored = Restored()
        for some in batched(files_of(stream, path), _BATCH):
            await _compare(storage, some, restored)
            bar.advance(len(some))
    return restored


async def _put(storage: Storage, files: Iterable[tuple[str, bytes]]) -> None:
    parts = _sorted(files)
    if parts.documents:
        await storage.put_documents(parts.documents)
    for namespace, name, value in parts.records:
        await storage.put_record(namespace, name, value)
    for namespace, name, lines in parts.logs:
        await add_to_log(storage, namespace, name, lines)


async def _compare(storage: Storage, files: Iterable[tuple[str, bytes]], restored: Restored) -> None:
    parts = _sorted(files)
    there = await storage.read_documents(list(parts.documents))
    for conversation_id, data in parts.documents.items():
        is_same = says_the_same(data, there.get(conversation_id), conversation_id)
        restored.conversations += is_same
        restored.differing += [] if is_same else [f"conversations/{conversation_id}.json"]
    for namespace, name, value in parts.records:
        is_same = await storage.get_record(namespace, name) == value
        restored.records += is_same
        restored.differing += [] if is_same else [f"records/{namespace}/{name}"]
    for namespace, name, lines in parts.logs:
        is_same = (await storage.read_log(namespace, name)).startswith(lines)
        restored.logs += is_same
        restored.differing += [] if is_same else [f"logs/{namespace}/{name}"]
    restored.damaged += parts.damaged


@dataclass(frozen=True, slots=True)
class _Parts:
    documents: Mapping[UUID, bytes]
    records: Sequence[tuple[str, str, bytes]]
    logs: Sequence[tuple[str, str, bytes]]
    damaged: Sequence[UUID]


def _sorted(files: Iterable[tuple[str, bytes]]) -> _Parts:
    by_kind: dict[str, list[tuple[str, bytes]]] = {}
    for name, data in files:
        kind, _, rest = name.partition("/")
        by_kind.setdefault(kind, []).append((rest, data))
    return _Parts(
        documents={UUID(name.removesuffix(".json")): data for name, data in by_kind.get("conversations", ())},
        records=list(_named(by_kind.get("records", ()))),
        logs=list(_named(by_kind.get("logs", ()))),
        damaged=[UUID(name) for name, _ in by_kind.get("damaged", ())],
    )


def _named(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, str, bytes]]:
    for path, data in files:
        namespace, _, name = path.partition("/")
        yield namespace, name, data
