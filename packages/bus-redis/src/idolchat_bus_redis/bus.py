"""The bus: one channel for each server, subscribed to by that server alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

from redis.asyncio.client import PubSub

from idolchat_bus_redis.errors import told
from idolchat_bus_redis.servers import opened
from idolchat_bus_redis.settings import RedisSettings
from idolchat_core import BrokerBus, BrokerLost, ConfigurationError, Publish, read_settings

__all__ = ["RedisBus"]


class RedisBus(BrokerBus):
    """A bus over a Redis, a Valkey, or a cluster of either.

    Raises ``ConfigurationError`` for an address that is none.
    """

    name = "redis"

    def __init__(self, settings: RedisSettings | None = None) -> None:
        super().__init__()
        self._settings = settings or read_settings(RedisSettings)
        self._address, self._where = self._settings.address, self._settings.where

    @asynccontextmanager
    async def connect(self, take: Callable[[bytes], None], lost: Callable[[str], None]) -> AsyncGenerator[Publish]:
        async with (
            opened(self._address, self._where, dropped=self._drop) as server,
            server.listening(self.inbox) as inbox,
        ):
            reading = asyncio.create_task(self._read(inbox, take, lost))
            try:
                yield server.publish
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading

    async def _read(self, inbox: PubSub, take: Callable[[bytes], None], lost: Callable[[str], None]) -> None:
        try:
            with told(self._where):
                async for message in inbox.listen():
                    if message["type"] in ("message", "smessage"):
                        take(message["data"])
                    elif message["type"] == "sunsubscribe":
                        break
            lost(f"the cluster at {self._where} has moved the inbox to another node")
        except (BrokerLost, ConfigurationError) as error:
            lost(str(error))

    def _drop(self, payloads: int) -> None:
        self.state.dropped += payloads
