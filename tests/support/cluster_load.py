"""Clients of several servers, who share a few conversations."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import UUID

from tests.support.cluster_client import ClusterClient
from tests.support.ledger import Document, Sent

__all__ = ["Talkers", "two_at_once"]

WORKERS = 8
CONVERSATIONS = 6
MODELS = ("mock/echo", "mock/echo-d15", "mock/echo-d30-w20")
WAYS = ("rest", "sse", "sse", "ws")


class Talkers:
    """Clients who share a few conversations, and send until they are told to stop."""

    def __init__(self, client: ClusterClient, dice: Random) -> None:
        self._client, self._dice = client, dice
        self._talks = [str(UUID(int=dice.getrandbits(128), version=4)) for _ in range(CONVERSATIONS)]
        self._is_over = False

    async def run(self) -> None:
        """Send, and see to it that each message gets its reply."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._talk())

    def stop(self) -> None:
        """Finish what was begun."""
        self._is_over = True

    async def _talk(self) -> None:
        while not self._is_over:
            text = f"{self._dice.randrange(1 << 64):x} {'and so on ' * self._dice.randrange(12)}end"
            one = Sent(
                way=self._dice.choice(WAYS),
                text=text,
                conversation_id=self._dice.choice(self._talks),
                model=self._dice.choice(MODELS),
            )
            await self._client.finish(one)


def two_at_once(document: Document) -> Iterator[str]:
    """Find turns that another one came into: a turn's message and its first reply stand one after the other."""
    messages: list[dict[str, Any]] = document["messages"]
    for place, message in enumerate(messages):
        if message["role"] != "user":
            continue
        behind = messages[place + 1] if place + 1 < len(messages) else message
        if behind["role"] == "user" or behind.get("turn_id") != message.get("turn_id"):
            yield f"{message['content']!r} of turn {message.get('turn_id')} is followed by {behind}"
