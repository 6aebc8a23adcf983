"""What a server among several tells of itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_core import Bus, BusState, Registry, hookimpl
from idolchat_core.coordination.local import LocalBus
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.testing import ScriptedProvider, SharedInMemoryStorage

TOKEN = "a-token-for-metrics"


class Wire(LocalBus):
    """A bus that says how it is."""

    state = BusState(sent=5, received=4, dropped=3, lag_s=0.25)


class OwnBus:
    """A bus beside that of the storage."""

    wire = Wire("wire")

    @hookimpl
    def idolchat_register_buses(self, registry: Registry[Bus]) -> None:
        registry.add("wire", lambda: nullcontext(self.wire))


@pytest.fixture
def settings(settings: ApiSettings) -> ApiSettings:
    return settings.model_copy(update={"metrics_token": SecretStr(TOKEN)})


@asynccontextmanager
async def client_of(
    settings: ApiSettings, shared: SharedInMemoryStorage, provider: ScriptedProvider
) -> AsyncGenerator[httpx.AsyncClient]:
    plugins = load_plugins(Parts(shared, provider, is_shared=True), OwnBus(), installed=False)
    async with serving(settings, plugins=plugins) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


async def metrics_of(client: httpx.AsyncClient) -> dict[str, float]:
    text = (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).text
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def test_a_server_whose_heartbeat_fails_is_not_ready_and_says_why(
    settings: ApiSettings, shared: SharedInMemoryStorage, provider: ScriptedProvider
) -> None:
    async with client_of(settings, shared, provider) as client:
        before = await client.get("/readyz")
        [member] = shared.members
        member.problem = "no heartbeat for 2 seconds"
        after, health, metrics = await client.get("/readyz"), await client.get("/health"), await metrics_of(client)

    assert (before.status_code, before.json()["status"]) == (200, "ready")
    assert (after.status_code, after.json()["status"], after.json()["reason"]) == (503, "not_ready", "instance")
    assert after.json()["instance"] == health.json()["instance"]
    assert health.json()["status"] == "degraded"
    assert health.json()["instance"] == {
        "id": str(member.instance_id),
        "status": "unavailable",
        "message": "no heartbeat for 2 seconds",
        "bus": {"name": "local", "status": "ok"},
    }
    assert metrics["idolchat_suspended"] == 1


async def test_a_bus_that_is_away_is_told_and_harms_no_turn(
    settings: ApiSettings, shared: SharedInMemoryStorage, provider: ScriptedProvider
) -> None:
    settings = settings.model_copy(update={"bus": "wire"})
    async with client_of(settings, shared, provider) as client:
        well, metrics = (await client.get("/health")).json(), await metrics_of(client)
        OwnBus.wire.state = BusState(problem="nobody is there")
        ill, ready = (await client.get("/health")).json(), await client.get("/readyz")
        answered = await client.post("/chat", json={"messages": [{"role": "user", "content": "Hi"}]})
        down = (await metrics_of(client))["idolchat_bus_up"]

    assert (well["status"], well["instance"]["bus"]) == ("ok", {"name": "wire", "status": "ok"})
    assert (metrics["idolchat_bus_up"], metrics["idolchat_bus_lag_seconds"], down) == (1, 0.25, 0)
    assert [metrics[f'idolchat_bus_messages_total{{result="{each}"}}'] for each in ("sent", "received", "dropped")] == [
        5,
        4,
        3,
    ]
    assert (ill["status"], ill["instance"]["status"]) == ("degraded", "ok")
    assert ill["instance"]["bus"] == {"name": "wire", "status": "unavailable", "message": "nobody is there"}
    assert (ready.status_code, answered.status_code) == (200, 200)


async def test_readers_at_other_servers_are_counted_on_both_sides(
    settings: ApiSettings, shared: SharedInMemoryStorage, provider: ScriptedProvider
) -> None:
    go_on, conversation_id = asyncio.Event(), str(uuid4())
    provider.say(["Once ", go_on])
    async with client_of(settings, shared, provider) as client, client_of(settings, shared, provider) as other:
        body = {"messages": [{"role": "user", "content": "Hi"}], "conversation_id": conversation_id}
        talking = asyncio.create_task(client.post("/chat", json=body))
        while (page := await client.get(f"/conversation/{conversation_id}")).status_code != 200:
            pass
        turn_id = page.json()["messages"][0]["turn_id"]
        async with other.stream("GET", f"/turns/{turn_id}/stream") as following:
            lines = following.aiter_lines()
            await anext(lines)
            here, there = await metrics_of(client), await metrics_of(other)
            go_on.set()
            async for _ in lines:
                pass
        await talking

    assert (here["idolchat_remote_readers"], here["idolchat_remote_turns"]) == (1, 0)
    assert (there["idolchat_remote_readers"], there["idolchat_remote_turns"]) == (0, 1)


async def test_a_server_alone_has_none_of_it(client: httpx.AsyncClient) -> None:
    health, ready = (await client.get("/health")).json(), (await client.get("/readyz")).json()

    assert "instance" not in health
    assert set(ready) == {"status", "storage", "llm"}
