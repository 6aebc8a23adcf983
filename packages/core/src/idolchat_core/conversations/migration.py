"""Copies everything from one storage to another, and makes sure of it.

Nothing is remembered of how far it came: what is there already, and the same, is not written again. So a migration that
was interrupted, however it was, is gone on with by beginning it once more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import aclosing
from itertools import batched
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from idolchat_core.coordination import checkpoints
from idolchat_core.errors import ConversationDamaged
from idolchat_core.storage import document, maintenance
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.id_set import IdSet
from idolchat_core.storage.records import RecordKey

__all__ = ["Failure", "Migration", "add_to_log", "migrate", "says_the_same"]

_BATCH = 128
_AT_ONCE = 3
_MAX_PASSES = 5
_LOG_PART = 1024 * 1024
_LEFT_BEHIND = {checkpoints.NAMESPACE, maintenance.ASIDE}
"""Records that mean nothing elsewhere: running replies of a server, and bytes kept of damaged documents."""


class Failure(BaseModel):
    """A conversation, or record, that could not be copied, and why."""

    model_config = ConfigDict(frozen=True)

    what: str
    code: str
    message: str


class Migration(BaseModel):
    """How far a migration has come.

    It goes over everything at least twice: pass 1 copies, and the last one finds all of it the same. ``done`` of
    ``total`` conversations are looked at in this pass; ``copied`` counts those written in any, ``verified`` those found
    the same in this one. ``changing`` says that after the last pass some still differ: somebody writes to the source.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    done: int
    total: int
    copied: int
    verified: int
    records: int
    failures: tuple[Failure, ...]
    changing: bool = False


class _Batch(NamedTuple):
    looked_at: int
    differing: int
    same: int
    failures: list[Failure]


async def migrate(
    source: Storage, target: Storage, *, records: Collection[str] = (), dry_run: bool = False
) -> AsyncGenerator[Migration]:
    """Copy conversations, records and logs; yield the progress after every few, and the outcome last.

    ``records`` are namespaces that are copied though the source cannot list which it has, and of which a record that
    cannot be read is a failure. What only the target has is
    left alone. With ``dry_run``, what differs is counted as ``copied`` and left as it is.
    """
    namespaces = sorted({*records, *await source.list_namespaces()} - _LEFT_BEHIND)
    count, failures = await _copy_records(source, target, namespaces, dry_run=dry_run)
    failures += [_unread(key) async for key in maintenance.damaged_records(source, records)]
    state = Migration(number=0, done=0, total=0, copied=0, verified=0, records=count, failures=tuple(failures))
    copied = -1
    while state.copied != copied and state.number < (1 if dry_run else _MAX_PASSES):
        copied = state.copied
        ids = IdSet(await source.list_ids())
        anew = {"done": 0, "verified": 0, "total": len(ids), "failures": tuple(failures)}
        state = state.model_copy(update=anew | {"number": state.number + 1})
        yield state
        async with aclosing(_batches(source, target, ids, dry_run=dry_run)) as batches:
            async for batch in batches:
                state = state.model_copy(
                    update={
                        "done": state.done + batch.looked_at,
                        "copied": state.copied + batch.differing,
                        "verified": state.verified + batch.same,
                        "failures": (*state.failures, *batch.failures),
                    }
                )
                yield state
    yield state.model_copy(update={"changing": state.copied != copied and not dry_run})


async def _batches(source: Storage, target: Storage, ids: Collection[UUID], *, dry_run: bool) -> AsyncGenerator[_Batch]:
    """Copy what differs, a few batches at a time: while one waits for the disk or the network, others are compared."""
    there = IdSet(await target.list_ids())
    running: deque[asyncio.Task[_Batch]] = deque()
    try:
        for some in batched(ids, _BATCH):
            running.append(asyncio.create_task(_copy(source, target, some, there, dry_run=dry_run)))
            if len(running) >= _AT_ONCE:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _copy(
    source: Storage, target: Storage, ids: Sequence[UUID], there: Collection[UUID], *, dry_run: bool
) -> _Batch:
    ours, theirs = await asyncio.gather(
        source.read_documents(ids), target.read_documents([one for one in ids if one in there])
    )
    wanting: dict[UUID, bytes] = {}
    failures: list[Failure] = []
    same = 0
    for conversation_id, mine in ours.items():
        if isinstance(mine, ConversationDamaged):
            failures.append(Failure(what=f"conversation {conversation_id}", code=mine.code, message=str(mine)))
        elif says_the_same(mine, theirs.get(conversation_id), conversation_id):
            same += 1
        else:
            wanting[conversation_id] = mine
    if wanting and not dry_run:
        await target.put_documents(wanting)
    return _Batch(len(ids), len(wanting), same, failures)


def says_the_same(ours: bytes, theirs: bytes | ConversationDamaged | None, conversation_id: UUID) -> bool:
    """Return whether two documents are the same conversation, whatever their bytes."""
    if ours == theirs or not isinstance(theirs, bytes):
        return ours == theirs
    try:
        return document.decode(ours, conversation_id) == document.decode(theirs, conversation_id)
    except ConversationDamaged:
        return False


async def _copy_records(
    source: Storage, target: Storage, namespaces: Iterable[str], *, dry_run: bool
) -> tuple[int, list[Failure]]:
    count = 0
    failures: list[Failure] = []
    for namespace in namespaces:
        for name in await source.list_records(namespace):
            value = await source.get_record(namespace, name)
            count += value is not None
            if value is not None and value != await target.get_record(namespace, name) and not dry_run:
                await target.put_record(namespace, name, value)
        for name in await source.list_logs(namespace):
            count += 1
            if not await _copy_log(source, target, namespace, name, dry_run=dry_run):
                text = "the target has another log of this name; remove one of them"
                failures.append(Failure(what=f"log {namespace}/{name}", code="storage_conflict", message=text))
    return count, failures


def _unread(key: RecordKey) -> Failure:
    text = "it cannot be read; get it from a mirror or a backup, or delete it"
    return Failure(what=f"record {key}", code="record_damaged", message=text)


async def _copy_log(source: Storage, target: Storage, namespace: str, name: str, *, dry_run: bool) -> bool:
    ours = await source.read_log(namespace, name)
    if dry_run:
        return ours.startswith(await target.read_log(namespace, name))
    return await add_to_log(target, namespace, name, ours)


async def add_to_log(target: Storage, namespace: str, name: str, ours: bytes) -> bool:
    """Add to a log what it lacks; return whether it was the beginning of ``ours``, and is the same now."""
    theirs = await target.read_log(namespace, name)
    if not ours.startswith(theirs):
        return False
    start = len(theirs)
    while start < len(ours):
        end = ours.rfind(b"\n", start, start + _LOG_PART) + 1 or ours.find(b"\n", start) + 1 or len(ours)
        await target.append_log(namespace, name, ours[start:end])
        start = end
    return True
