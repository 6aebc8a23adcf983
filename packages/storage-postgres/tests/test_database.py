"""Connections that serve one caller after another."""

from __future__ import annotations

import asyncio

from idolchat_core.testing import a_conversation
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.storage import open_postgres_storage


async def test_a_call_that_was_cancelled_leaves_no_snapshot_to_the_next_ones(database_url: str) -> None:
    settings = PostgresSettings.model_validate({"url": database_url, "connections": 1})
    async with open_postgres_storage(settings) as storage:
        for steps in range(1, 40):
            cancelled = asyncio.create_task(storage.stats())
            for _ in range(steps):
                await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.wait({cancelled})
            before = len(await storage.list_ids())
            await storage.create(a_conversation("Hi"))

            assert len(await storage.list_ids()) == before + 1, f"cancelled after {steps} steps"
