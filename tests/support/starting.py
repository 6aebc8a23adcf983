"""Fixtures that start servers, for one test or for all of a module."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.server import Server
from tests.support.zygote import ForkedServer, Zygote, running_zygote

__all__ = ["StartServer", "forking", "start_server", "start_shared_server"]

type StartServer = Callable[..., Server]


@pytest.fixture(scope="session")
def forking() -> Iterator[Zygote]:
    """Return the process that servers are forked from."""
    with running_zygote() as zygote:
        yield zygote


@contextmanager
def _servers_in(folder: Path, zygote: Zygote) -> Iterator[StartServer]:
    """Return a function that starts servers with given environment variables; at the end they are killed."""
    started: list[Server] = []

    def start(**environment: str) -> Server:
        place = folder / f"server-{len(started)}"
        place.mkdir()
        server = ForkedServer(place, environment, zygote)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.__exit__(None, None, None)


@pytest.fixture
def start_server(tmp_path: Path, forking: Zygote) -> Iterator[StartServer]:
    """Start servers for one test."""
    with _servers_in(tmp_path, forking) as start:
        yield start


@pytest.fixture(scope="module")
def start_shared_server(tmp_path_factory: pytest.TempPathFactory, forking: Zygote) -> Iterator[StartServer]:
    """Start servers for all tests of a module."""
    with _servers_in(tmp_path_factory.mktemp("servers"), forking) as start:
        yield start
