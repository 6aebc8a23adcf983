"""Something else in a document's place: a FIFO, a folder, a link to nothing."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_core import ConversationDamaged, ConversationExists, document
from idolchat_core.testing import Reopen, a_conversation, a_message

CONVERSATION = a_conversation("one", user_id="ann")
PUT_THERE: dict[str, Callable[[Path], None]] = {
    "a FIFO": os.mkfifo,
    "a folder": Path.mkdir,
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
}
pytestmark = pytest.mark.parametrize("put_there", PUT_THERE.values(), ids=PUT_THERE.keys())


@pytest.fixture
async def path(open_storage: Reopen, file_of: Callable[[UUID], Path], put_there: Callable[[Path], None]) -> Path:
    async with open_storage() as storage:
        await storage.create(CONVERSATION)
    path = file_of(CONVERSATION.id)
    path.unlink()
    put_there(path)
    return path


async def test_nothing_hangs_and_nothing_is_taken_for_gone(open_storage: Reopen, path: Path) -> None:
    message = a_message("two")
    async with asyncio.timeout(60), open_storage() as storage:
        for asked in (
            storage.read(CONVERSATION.id),
            storage.read_document(CONVERSATION.id),
            storage.read_page(CONVERSATION.id, limit=1),
            storage.append(CONVERSATION.id, [message], expected_count=1, updated_at=message.timestamp),
            storage.update(CONVERSATION.id, {"title": "x"}, expected_count=1),
            storage.put(CONVERSATION),
            storage.delete(CONVERSATION.id),
        ):
            with pytest.raises(ConversationDamaged, match="is no file"):
                await asked
        with pytest.raises(ConversationExists):
            await storage.create(CONVERSATION)


async def test_it_is_listed_and_counted_as_damaged(open_storage: Reopen, path: Path) -> None:
    for _ in range(2):
        async with asyncio.timeout(60), open_storage() as storage:
            [summary] = (await storage.list()).data
            counted = await storage.stats()
            [verdict] = [one async for one in storage.verify()]

            assert (summary.id, summary.status, summary.user_id) == (CONVERSATION.id, "damaged", "ann")
            assert counted.damaged == 1
            assert [issue.code for issue in verdict.issues] == ["damaged"]


def put_back(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_bytes(document.encode(CONVERSATION))


async def test_what_is_put_in_its_place_is_read(open_storage: Reopen, path: Path) -> None:
    async with asyncio.timeout(60), open_storage() as storage:
        await storage.list()
        put_back(path)

        assert await storage.read(CONVERSATION.id) == CONVERSATION
