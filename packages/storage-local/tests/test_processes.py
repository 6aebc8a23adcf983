"""Several processes at one data folder, and processes that are killed."""

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from idolchat_core import Conversation
from idolchat_core.testing import Reopen, a_conversation, a_message

PROGRAM = Path(__file__).with_name("writing.py")
KILLS = 20


@asynccontextmanager
async def writing(data_dir: Path, conversations: Sequence[Conversation], *, times: int) -> AsyncGenerator[Process]:
    ids = [str(conversation.id) for conversation in conversations]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), str(data_dir), str(times), *ids, stdout=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def acknowledged_by(process: Process, *, lines: int | None = None) -> dict[UUID, list[UUID]]:
    """Read what a process says is stored: so many lines, or to the end."""
    assert process.stdout is not None
    found: dict[UUID, list[UUID]] = defaultdict(list)
    while lines is None or lines > 0:
        line = await process.stdout.readline()
        if not line.endswith(b"\n"):
            break
        conversation_id, message_id = line.decode().split()
        found[UUID(conversation_id)].append(UUID(message_id))
        lines = lines - 1 if lines is not None else None
    return found


async def test_nothing_is_lost_when_processes_append_at_once(open_storage: Reopen, data_dir: Path) -> None:
    conversations = [a_conversation(), a_conversation()]
    async with open_storage() as storage:
        for conversation in conversations:
            await storage.create(conversation)
    async with writing(data_dir, conversations, times=60) as one, writing(data_dir, conversations, times=60) as other:
        sides = await asyncio.gather(acknowledged_by(one), acknowledged_by(other))
        assert (await one.wait(), await other.wait()) == (0, 0)

    async with open_storage() as storage:
        for conversation in conversations:
            stored = [message.id for message in (await storage.read(conversation.id)).messages]
            assert len(stored) == len(set(stored)) == 120
            for side in sides:
                ours = set(side[conversation.id])
                assert [message_id for message_id in stored if message_id in ours] == side[conversation.id]


async def test_a_write_of_another_process_is_seen_between_two_of_ours(open_storage: Reopen, data_dir: Path) -> None:
    conversation = a_conversation("ours")
    async with open_storage() as storage:
        await storage.create(conversation)
        for ours in (2, 4):
            async with writing(data_dir, [conversation], times=1) as process:
                [theirs] = (await acknowledged_by(process))[conversation.id]
            await storage.append(
                conversation.id, [a_message("ours")], expected_count=ours, updated_at=conversation.updated_at
            )
            page = await storage.read_page(conversation.id, limit=2)
            assert [page.conversation.messages[0].id, page.conversation.messages[1].content] == [theirs, "ours"]
            assert (await storage.list()).data[0].message_count == ours + 1


async def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(
    open_storage: Reopen, data_dir: Path, file_of: Callable[[UUID], Path]
) -> None:
    conversations = [a_conversation("start"), a_conversation("start", title="kept"), a_conversation("start")]
    acknowledged: dict[UUID, list[UUID]] = defaultdict(list)
    async with open_storage() as storage:
        for conversation in conversations:
            await storage.create(conversation)
    for _ in range(KILLS):
        async with writing(data_dir, conversations, times=0) as process:
            heard = [await acknowledged_by(process, lines=random.randint(1, 60))]
            process.kill()
            heard.append(await acknowledged_by(process))
        for conversation_id, message_ids in (pair for part in heard for pair in part.items()):
            acknowledged[conversation_id] += message_ids
        async with open_storage() as storage:
            for conversation in conversations:
                read = await storage.read(conversation.id)
                check_order([message.id for message in read.messages], acknowledged[conversation.id])
                assert (read.status, read.model_extra) == (None, conversation.model_extra)
                assert json.loads(file_of(conversation.id).read_bytes())["id"] == str(conversation.id)


def check_order(stored: Sequence[UUID | str], acknowledged: Sequence[UUID]) -> None:
    wanted = set(acknowledged)
    assert len(stored) == len(set(stored))
    assert [message_id for message_id in stored if message_id in wanted] == list(acknowledged)
