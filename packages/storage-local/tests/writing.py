"""A program for tests: appends to conversations for ever, and prints what is acknowledged.

    writing.py DATA_DIR COUNT CONVERSATION_ID...

Appends COUNT messages to each conversation, side by side with whoever else does (0: until it is killed). Each line
printed is a conversation's id and the id of a message that is stored.
"""

# ruff: noqa: T201

import asyncio
import sys
from itertools import count, islice
from pathlib import Path
from uuid import UUID

from idolchat_core import Message, Storage, StorageConflict, new_id, utc_now
from idolchat_storage_local import LocalSettings, open_local_storage


async def write(storage: Storage, conversation_id: UUID, times: int) -> None:
    expected_count = 0
    for number in islice(count(), times or None):
        text = "今日は🌸" * (number % 300)
        message = Message(id=new_id(), role="user", content=text, timestamp=utc_now(), turn_id=new_id())
        while True:
            try:
                await storage.append(
                    conversation_id, [message], expected_count=expected_count, updated_at=message.timestamp
                )
                break
            except StorageConflict as conflict:
                expected_count = conflict.actual_count or 0
        print(conversation_id, message.id, flush=True)
        expected_count += 1


async def main(data_dir: str, times: str, *conversation_ids: str) -> None:
    async with open_local_storage(LocalSettings(data_dir=Path(data_dir))) as storage:
        await asyncio.gather(*(write(storage, UUID(name), int(times)) for name in conversation_ids))


asyncio.run(main(*sys.argv[1:]))
