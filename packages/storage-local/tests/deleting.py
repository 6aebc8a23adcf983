"""A program for tests: deletes the messages of a conversation, one after another, and prints what is gone.

deleting.py DATA_DIR CONVERSATION_ID
"""

# ruff: noqa: T201

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from idolchat_core.conversations.messages import erase_message
from idolchat_storage_local import LocalSettings, open_local_storage


async def main(data_dir: str, conversation_id: str) -> None:
    async with open_local_storage(LocalSettings(data_dir=Path(data_dir))) as storage:
        await storage.search("begin")  # from now on there are words in an index, too
        for message in (await storage.read(UUID(conversation_id))).messages:
            if message.deleted_at is None:
                await erase_message(storage, UUID(conversation_id), message.id)
                print(message.id, flush=True)


asyncio.run(main(*sys.argv[1:]))
