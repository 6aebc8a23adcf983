"""A Redis for all tests of a process, and one for a test that stops it."""

from collections.abc import Iterator

import pytest

from idolchat_bus_redis.testing import RedisServer, running_redis


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server
