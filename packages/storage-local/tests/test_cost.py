"""An append costs the same however long the conversation is."""

import os
import sys
import threading
from pathlib import Path

import pytest

from idolchat_core import Conversation, Storage, new_id
from idolchat_core.testing import Reopen, a_conversation, a_message

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts bytes with /proc")

APPENDS = 40


def bytes_moved(thread_name: str) -> int:
    """Tell how many bytes the threads of this name have read and written (proc(5), rchar and wchar)."""
    threads = [thread for thread in threading.enumerate() if thread.name.startswith(thread_name)]
    texts = [Path(f"/proc/self/task/{thread.native_id}/io").read_text() for thread in threads]
    lines = [line.split() for text in texts for line in text.splitlines()]
    return sum(int(value) for name, value in lines if name in ("rchar:", "wchar:"))


def long_conversation(length: int) -> Conversation:
    message = a_message("Tell me about your next concert, please! " * 3)
    messages = tuple(message.model_copy(update={"id": new_id()}) for _ in range(length))
    return a_conversation().model_copy(update={"messages": messages})


async def append(storage: Storage, conversation: Conversation) -> None:
    for number in range(APPENDS):
        message = a_message("And then?", turn_id=new_id())
        expected_count = len(conversation.messages) + number
        await storage.append(conversation.id, [message], expected_count=expected_count, updated_at=message.timestamp)


async def test_an_append_reads_and_writes_as_much_at_100_000_messages_as_at_100(open_storage: Reopen) -> None:
    moved = {}
    for length in (100, 100_000):
        conversation = long_conversation(length)
        async with open_storage() as storage:
            await storage.put(conversation)
        async with open_storage() as storage:
            # The first append after a start is among them; what the scan holds just then, another thread would write.
            await storage.settle()
            before = bytes_moved("idolchat-writer")
            await append(storage, conversation)
            moved[length] = bytes_moved("idolchat-writer") - before

    assert 0 < moved[100_000] <= moved[100] * 1.1


async def test_the_newest_page_reads_as_much_at_100_000_messages_as_at_100(open_storage: Reopen) -> None:
    moved = {}
    for length in (100, 100_000):
        conversation = long_conversation(length)
        async with open_storage() as storage:
            await storage.put(conversation)
        async with open_storage() as storage:
            await storage.list()  # until the scan at the start is over, which reads too
            before = bytes_moved("idolchat-reader")
            await storage.read_page(conversation.id, limit=50)
            first = bytes_moved("idolchat-reader") - before
            await storage.read_page(conversation.id, limit=50, before=length // 2 + 7)
            moved[length] = (first, bytes_moved("idolchat-reader") - before - first)

    newest, older = moved[100_000]
    assert 0 < newest <= moved[100][0] * 1.1
    assert older < 500 * os.sysconf("SC_PAGE_SIZE") // 16
