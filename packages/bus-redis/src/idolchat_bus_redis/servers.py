"""A Redis by itself, or a cluster: what subscribes to a channel, and what publishes."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from idolchat_bus_redis.errors import told
from idolchat_bus_redis.settings import VARIABLE
from idolchat_core import BrokerLost, ConfigurationError

__all__ = ["Server", "opened"]

CONNECT_WITHIN_S, ANSWER_WITHIN_S = 5.0, 15.0
"""An answer comes at least as often as the bus sends something to itself, which is every five seconds."""


class Server(ABC):
    """An open connection to a broker."""

    @abstractmethod
    def listening(self, inbox: str) -> AbstractAsyncContextManager[PubSub]:
        """Subscribe to the channel of an inbox. Raises as ``told``."""

    @abstractmethod
    async def publish(self, payloads: Sequence[tuple[str, bytes]]) -> None:
        """Send payloads, those to one inbox in order. Raises as ``told``."""


@asynccontextmanager
async def opened(address: str, where: str, *, dropped: Callable[[int], None]) -> AsyncGenerator[Server]:
    """Connect, and find out what is there. ``dropped`` is told of payloads that a part of a cluster does not take.

    Raises as ``told``.
    """
    options = _options(address)
    async with _client(options) as client:
        with told(where):
            mode = _mode(await client.execute_command("HELLO"))  # type: ignore[no-untyped-call]
        if mode == "sentinel":
            raise ConfigurationError(
                f"the server at {where} is a Sentinel, which carries no messages; write the address of the primary into"
                f" {VARIABLE}"
            )
        if mode != "cluster":
            yield _Standalone(client, where)
            return
    cluster = RedisCluster(**options)
    try:
        with told(where):
            await cluster.initialize()
        yield _Cluster(cluster, options, where, dropped)
    finally:
        await cluster.aclose()


def _client(options: dict[str, Any]) -> Redis:
    """Make a client whose connections can be made. Raises ``ConfigurationError`` for what no waiting mends."""
    try:
        client = Redis(**options)
        connection = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except (TypeError, RedisError) as error:  # a parameter that the client does not know, or a value of one
        raise ConfigurationError(f"{VARIABLE} cannot be used: {error}") from None
    if isinstance(connection, SSLConnection):
        try:
            connection.ssl_context.get()
        except OSError as error:
            raise ConfigurationError(
                f"{VARIABLE} cannot be used: a file that ssl_ca_certs, ssl_ca_path, ssl_certfile or ssl_keyfile names"
                f" cannot be read: {error}"
            ) from None
    return client


class _Standalone(Server):
    def __init__(self, client: Redis, where: str) -> None:
        self._client = client
        self._where = where

    @asynccontextmanager
    async def listening(self, inbox: str) -> AsyncGenerator[PubSub]:
        async with self._client.pubsub() as subscription:
            with told(self._where):
                await subscription.subscribe(_channel(inbox))
                await subscription.get_message(timeout=CONNECT_WITHIN_S)
            yield subscription

    async def publish(self, payloads: Sequence[tuple[str, bytes]]) -> None:
        with told(self._where):
            async with self._client.pipeline(transaction=False) as pipeline:
                for inbox, payload in payloads:
                    pipeline.publish(_channel(inbox), payload)
                await pipeline.execute()


class _Cluster(Server):
    """Each inbox is on the node that has the slot of its channel."""

    def __init__(
        self, cluster: RedisCluster, options: dict[str, Any], where: str, dropped: Callable[[int], None]
    ) -> None:
        self._cluster = cluster
        self._options = options
        self._where = where
        self._dropped = dropped

    @asynccontextmanager
    async def listening(self, inbox: str) -> AsyncGenerator[PubSub]:
        channel = _channel(inbox)
        with told(self._where):
            node = self._cluster.get_node_from_key(channel)
        if node is None:
            raise BrokerLost(f"the cluster at {self._where} has no node for the inbox")
        options = self._options | {"host": node.host, "port": node.port}
        async with Redis(**options) as client, client.pubsub() as subscription:
            with told(self._where):
                await subscription.ssubscribe(channel)
                await subscription.get_message(timeout=CONNECT_WITHIN_S)
            yield subscription

    async def publish(self, payloads: Sequence[tuple[str, bytes]]) -> None:
        """Send; a node that is away costs what is for its inboxes, and raises only where all of them are."""
        inboxes = [(inbox, [each for _, each in group]) for inbox, group in groupby(payloads, key=itemgetter(0))]
        sent = await asyncio.gather(*(self._publish(inbox, parts) for inbox, parts in inboxes), return_exceptions=True)
        errors = [error for error in sent if isinstance(error, BaseException)]
        if len(errors) == len(inboxes):
            raise errors[0]
        self._dropped(sum(len(parts) for (_, parts), error in zip(inboxes, sent, strict=True) if error is not None))

    async def _publish(self, inbox: str, parts: Sequence[bytes]) -> None:
        with told(self._where):
            for part in parts:
                await self._cluster.spublish(_channel(inbox), part)


def _channel(inbox: str) -> str:
    return f"idolchat:{inbox}"


def _options(address: str) -> dict[str, Any]:
    """Read the address. What is sent is not sent again, for it may have arrived. Raises ``ConfigurationError``."""
    try:
        options: dict[str, Any] = dict(parse_url(address))
    except ValueError as error:
        raise ConfigurationError(f"{VARIABLE} cannot be read: {error}") from None
    if issubclass(options.pop("connection_class", object), SSLConnection):
        options["ssl"] = True
    options.pop("db", None)  # channels belong to no database
    if "path" in options:
        options["unix_socket_path"] = options.pop("path")
    return {
        "socket_connect_timeout": CONNECT_WITHIN_S,
        "socket_timeout": ANSWER_WITHIN_S,
        "socket_keepalive": True,
        "client_name": "idolchat",
        **options,
        "retry": Retry(NoBackoff(), 0),
    }


def _mode(answer: object) -> str:
    """Read ``mode`` from what HELLO tells: names and values in turn, or a map."""
    if isinstance(answer, list):
        answer = dict(zip(answer[::2], answer[1::2], strict=True))
    facts = {_text(name): value for name, value in answer.items()} if isinstance(answer, dict) else {}
    return _text(facts.get("mode", "standalone"))


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
