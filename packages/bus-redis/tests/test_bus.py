"""The bus over a Redis by itself, over a cluster, and while they are away."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import pytest
from pydantic import SecretStr

from idolchat_bus_redis import RedisSettings
from idolchat_bus_redis.bus import RedisBus
from idolchat_bus_redis.testing import RedisServer, running_cluster, running_redis
from idolchat_core import Bus, ConfigurationError
from idolchat_core.testing import BusConformance, OpenBus, reserve_port, until_so


def bus_at(url: str) -> RedisBus:
    return RedisBus(RedisSettings(url=SecretStr(url)))


def opener(url: str) -> OpenBus:
    def open_one() -> AbstractAsyncContextManager[Bus]:
        return bus_at(url)

    return open_one


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[RedisServer]]:
    with running_cluster() as servers:
        yield servers


class TestRedis(BusConformance):
    @pytest.fixture
    def open_bus(self, redis: RedisServer) -> OpenBus:
        return opener(redis.url)


class TestCluster(BusConformance):
    @pytest.fixture
    def open_bus(self, cluster: list[RedisServer]) -> OpenBus:
        return opener(cluster[0].url)


async def test_a_message_passes_one_node_of_a_cluster(cluster: list[RedisServer]) -> None:
    arrived: list[bytes] = []
    async with bus_at(cluster[0].url) as bus, bus.receive(arrived.append):
        subscribed = [server.command("PUBSUB", "SHARDCHANNELS").count(bus.inbox.encode()) for server in cluster]
        bus.send(bus.inbox, b"hello")
        await until_so("the message", lambda: arrived == [b"hello"])

    assert sorted(subscribed) == [0, 0, 1]


async def test_flushing_all_keys_harms_nothing(own_redis: RedisServer) -> None:
    arrived: list[bytes] = []
    async with bus_at(own_redis.url) as bus, bus.receive(arrived.append):
        bus.send(bus.inbox, b"before")
        own_redis.command("FLUSHALL")
        bus.send(bus.inbox, b"after")
        await until_so("both messages", lambda: len(arrived) == 2)

    assert (arrived, bus.state.dropped) == ([b"before", b"after"], 0)


async def test_a_server_that_is_stopped_and_comes_back_is_used_again(own_redis: RedisServer) -> None:
    arrived: list[bytes] = []
    async with bus_at(own_redis.url) as bus, bus.receive(arrived.append):
        own_redis.stop()
        await until_so("a bus with a problem", lambda: bus.state.problem is not None)
        bus.send(bus.inbox, b"lost")
        own_redis.start()
        await until_so("a bus without a problem", lambda: bus.state.problem is None)
        bus.send(bus.inbox, b"arrives")
        await until_so("the message", lambda: len(arrived) == 1)

    assert (arrived, bus.state.dropped) == ([b"arrives"], 1)


async def test_a_subscription_that_is_cut_is_made_again(redis: RedisServer) -> None:
    arrived: list[bytes] = []
    async with bus_at(redis.url) as bus, bus.receive(arrived.append):
        redis.command("CLIENT", "KILL", "TYPE", "pubsub")
        await until_so("a bus with a problem", lambda: bus.state.problem is not None)
        await until_so("a bus without a problem", lambda: bus.state.problem is None)
        bus.send(bus.inbox, b"arrives")
        await until_so("the message", lambda: len(arrived) == 1)

    assert arrived == [b"arrives"]


async def test_an_inbox_that_moves_to_another_node_is_subscribed_to_there() -> None:
    arrived: list[bytes] = []
    with running_cluster() as servers:
        async with bus_at(servers[0].url) as bus, bus.receive(arrived.append):
            channel = f"idolchat:{bus.inbox}"
            slot = servers[0].command("CLUSTER", "KEYSLOT", channel).strip(b":\r\n").decode()
            holds = [bool(bus.inbox.encode() in server.command("PUBSUB", "SHARDCHANNELS")) for server in servers]
            to = servers[holds.index(False)]
            node = to.command("CLUSTER", "MYID").split(b"\r\n")[1].decode()
            for server in (to, *(server for server in servers if server is not to)):
                server.command("CLUSTER", "SETSLOT", slot, "NODE", node)
            await until_so(
                "a subscription at the other node", lambda: bus.inbox.encode() in to.command("PUBSUB", "SHARDCHANNELS")
            )
            await until_so("a bus without a problem", lambda: bus.state.problem is None)
            bus.send(bus.inbox, b"arrives")
            await until_so("the message", lambda: len(arrived) == 1)

    assert arrived == [b"arrives"]


async def test_a_cluster_that_is_not_whole_is_waited_for() -> None:
    with running_redis(options=["--cluster-enabled", "yes"]) as server:
        async with bus_at(server.url) as bus:
            problem = bus.state.problem or ""
            server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
            await until_so("a bus without a problem", lambda: bus.state.problem is None)

    assert f"127.0.0.1:{server.port}" in problem


async def test_a_bus_opens_though_no_server_answers(own_redis: RedisServer) -> None:
    own_redis.stop()
    async with bus_at(own_redis.url) as bus:
        problem = bus.state.problem or ""
        own_redis.start()
        await until_so("a bus without a problem", lambda: bus.state.problem is None)

    assert f"127.0.0.1:{own_redis.port} (IDOLCHAT_REDIS_URL) cannot be reached" in problem


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "needs IDOLCHAT_REDIS_URL, which is not set"),
        ("http://s3cret@127.0.0.1", "no address of a Redis; write one such as redis://"),
        ("redis://:s3cret@", "no address of a Redis"),
        ("redis://127.0.0.1:s3cret", "no address of a Redis"),
        ("redis://127.0.0.1:1?s3cret=1", "IDOLCHAT_REDIS_URL cannot be used"),
        ("redis://127.0.0.1:1?socket_timeout=s3cret", "IDOLCHAT_REDIS_URL cannot be read: Invalid value for"),
    ],
)
async def test_a_wrong_address_is_told_without_repeating_it(url: str | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        async with RedisBus(RedisSettings(url=SecretStr(url) if url else None)):
            pass

    assert "127.0.0.1:s3cret" not in str(raised.value)


async def test_a_wrong_password_stops_the_start_and_is_not_told(own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "requirepass", "right")

    with pytest.raises(ConfigurationError, match=r"does not let idolchat in: .*write its user and password") as raised:
        async with bus_at(f"redis://:wr0ng@127.0.0.1:{own_redis.port}"):
            pass

    assert "wr0ng" not in str(raised.value)


async def test_a_user_may_have_the_rights_that_the_readme_names_and_no_more(own_redis: RedisServer) -> None:
    rights = ["on", ">pass", "resetchannels", "&idolchat:*", "+@connection", "+@pubsub"]
    own_redis.command("ACL", "SETUSER", "idolchat", *rights)
    arrived: list[bytes] = []
    async with bus_at(f"redis://idolchat:pass@127.0.0.1:{own_redis.port}") as bus, bus.receive(arrived.append):
        bus.send(bus.inbox, b"hello")
        await until_so("the message", lambda: arrived == [b"hello"])
    own_redis.command("ACL", "SETUSER", "idolchat", "resetchannels")

    with pytest.raises(ConfigurationError, match="does not allow its user"):
        async with bus_at(f"redis://idolchat:pass@127.0.0.1:{own_redis.port}"):
            pass


async def test_these_rights_do_in_a_cluster_with_two_more(cluster: list[RedisServer]) -> None:
    rights = ["on", ">pass", "resetchannels", "&idolchat:*", "+@connection", "+@pubsub"]
    for server in cluster:
        server.command("ACL", "SETUSER", "idolchat", *rights, "+cluster|slots", "+cluster|shards")
    arrived: list[bytes] = []
    async with bus_at(f"redis://idolchat:pass@127.0.0.1:{cluster[0].port}") as bus, bus.receive(arrived.append):
        bus.send(bus.inbox, b"hello")
        await until_so("the message", lambda: arrived == [b"hello"])

    assert bus.state.problem is None


async def test_a_server_that_is_no_redis_is_waited_for(own_redis: RedisServer) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with bus_at(f"redis://127.0.0.1:{port}") as bus:
            assert f"127.0.0.1:{port} (IDOLCHAT_REDIS_URL) cannot be reached" in (bus.state.problem or "")


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ("ssl_ca_certs=/none.pem", "ssl_ca_certs.*cannot be read: .*No such file"),
        ("ssl_cert_reqs=most", "most"),
        ("protocol=9", "protocol must be either 2 or 3"),
    ],
)
async def test_an_address_that_no_waiting_mends_is_refused(parameters: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=f"IDOLCHAT_REDIS_URL cannot be used: .*{told}"):
        async with bus_at(f"rediss://127.0.0.1:{reserve_port()}?{parameters}"):
            pass


async def test_the_number_of_a_database_makes_no_difference(redis: RedisServer) -> None:
    arrived: list[bytes] = []
    async with bus_at(f"{redis.url}/99") as bus, bus_at(redis.url) as other, bus.receive(arrived.append):
        other.send(bus.inbox, b"hello")
        await until_so("the message", lambda: arrived == [b"hello"])

    assert bus.state.problem is None
