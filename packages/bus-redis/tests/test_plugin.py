"""The bus as a server finds it."""

import pytest

from idolchat_bus_redis import plugin
from idolchat_bus_redis.testing import RedisServer
from idolchat_core import BrokerBus
from idolchat_core.plugins.loader import load_plugins


async def test_the_bus_is_found_by_its_name(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDOLCHAT_REDIS_URL", redis.url)
    plugins = load_plugins(plugin, installed=False)

    async with plugins.buses.get("redis")() as bus:
        assert isinstance(bus, BrokerBus)
        assert bus.state.problem is None
