"""A program for tests: talks in conversations for ever, and prints what is acknowledged.

    talking.py URL KEY CONVERSATION_ID...

A user's message is followed by its reply, at times by another message before it. Each line printed is a conversation's
id and the id of a message that is stored.
"""

# ruff: noqa: T201

import asyncio
import random
import sys
from typing import Any
from uuid import UUID

from idolchat_core import Conversation, ConversationNotFound, Message, new_id, read_settings, utc_now
from idolchat_storage_supabase import SupabaseSettings
from idolchat_storage_supabase.factory import open_supabase_storage
from idolchat_storage_supabase.storage import SupabaseStorage


async def talk(storage: SupabaseStorage, conversation_id: UUID) -> None:
    while True:
        for role in random.choice((("user", "assistant"), ("user", "user", "assistant"))):
            message = Message(id=new_id(), role=role, content="今日は🌸" * random.randrange(300), timestamp=utc_now())
            await add(storage, conversation_id, message)
            print(conversation_id, message.id, flush=True)


async def add(storage: SupabaseStorage, conversation_id: UUID, message: Message) -> None:
    now = utc_now()
    try:
        page = await storage.read_page(conversation_id, limit=1)
    except ConversationNotFound:
        more: dict[str, Any] = {"title": "kept"}
        begun = Conversation(id=conversation_id, created_at=now, updated_at=now, messages=(message,), **more)
        await storage.create(begun)
        return
    await storage.append(conversation_id, [message], expected_count=page.total, updated_at=now)


async def main(url: str, key: str, *conversation_ids: str) -> None:
    settings = read_settings(SupabaseSettings, url=url, service_role_key=key)
    async with open_supabase_storage(settings) as storage:
        await asyncio.gather(*(talk(storage, UUID(name)) for name in conversation_ids))


asyncio.run(main(*sys.argv[1:]))
