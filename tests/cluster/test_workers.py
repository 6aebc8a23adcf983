"""``idol serve --workers``: several processes on one address."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest

from idolchat_core.testing import reserve_port, until, until_so
from idolchat_storage_postgres.testing import PostgresServer
from tests.support.cluster import environment_of
from tests.support.idol import idol
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server

COMMAND = (sys.executable, "-m", "idolchat_cli", "serve", "--workers", "2")


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    name = f"workers_{reserve_port()}"
    yield postgres.make_database(name)
    postgres.drop_database(name)


@pytest.fixture
def server(tmp_path: Path, database: str, mock_openrouter: Mock) -> Iterator[Server]:
    given = environment_of(database, OPENROUTER_BASE_URL=mock_openrouter.base_url, IDOLCHAT_SHUTDOWN_GRACE_S="5")
    with Server(tmp_path, given, command=COMMAND) as server:
        yield server


async def workers_of(server: Server, postgres: PostgresServer, database: str, *, count: int = 2) -> set[int]:
    """Wait until so many serve, and return their process ids."""
    select = (
        "select split_part(address, ':', 2) from idolchat.instances where seen_at > clock_timestamp() - interval '2 s'"
    )

    async def pids() -> set[int]:
        found = await asyncio.to_thread(postgres.query, select, database=database.rpartition("/")[2])
        return {int(pid) for pid in found.split()}

    return await until(f"{count} workers that serve", pids, lambda found: len(found) == count)


def running(pids: set[int]) -> set[int]:
    """Return those of the processes that have not ended."""
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


async def send(client: httpx.AsyncClient, text: str) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": text}], "model": "mock/echo"}
    return await client.post("/chat", json=body)


async def served_by(client: httpx.AsyncClient) -> str:
    """Return which instance the connections of a client end at."""
    instance: str = (await client.get("/readyz")).json()["instance"]["id"]
    return instance


async def is_stopping(client: httpx.AsyncClient) -> bool:
    """Return whether who answers takes no more turns, or nobody takes a connection."""
    try:
        return (await client.get("/readyz")).status_code == 503
    except httpx.TransportError:
        return True


async def test_each_worker_takes_requests(server: Server, postgres: PostgresServer, database: str) -> None:
    pids = await workers_of(server, postgres, database)
    seen: set[str] = set()
    async with asyncio.timeout(60):
        while len(seen) < 2:
            async with server.client() as client:  # on a new connection each, which any of them takes
                assert (await send(client, "Hello!")).status_code == 200
                seen.add(await served_by(client))

    assert server.pid not in pids


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not spread connections")
async def test_connections_that_come_while_a_worker_is_busy_are_its_too(
    server: Server, postgres: PostgresServer, database: str
) -> None:
    busy = min(await workers_of(server, postgres, database))
    async with AsyncExitStack() as clients:
        each = [await clients.enter_async_context(server.client()) for _ in range(100)]
        os.kill(busy, signal.SIGSTOP)
        try:
            answers = [asyncio.create_task(served_by(client)) for client in each]
            await until_so("answers of the other", lambda: any(answer.done() for answer in answers))
        finally:
            os.kill(busy, signal.SIGCONT)
        counts = Counter(await asyncio.gather(*answers))

    assert min(counts.values()) > 20, counts  # by chance alone, less is seen once in a thousand million
    assert len(counts) == 2


async def test_a_worker_that_dies_is_started_again(server: Server, postgres: PostgresServer, database: str) -> None:
    first = await workers_of(server, postgres, database)
    os.kill(min(first), signal.SIGKILL)
    await until_so("its end", lambda: not running({min(first)}))
    for _ in range(20):  # new connections, which the others take
        async with server.client() as client:
            assert (await client.get("/readyz")).status_code == 200
    second = await until("another worker", lambda: workers_of(server, postgres, database), lambda found: found - first)

    assert len(second & first) == 1
    async with server.client() as client:
        assert (await send(client, "Hello!")).status_code == 200


async def test_all_finish_their_turns_when_it_is_asked_to_stop(
    server: Server, postgres: PostgresServer, database: str, mock_openrouter: Mock
) -> None:
    pids = await workers_of(server, postgres, database)
    said = {"messages": [{"role": "user", "content": "Good night!"}], "model": "mock/echo-h1"}
    async with server.client() as client:
        turns = [asyncio.create_task(client.post("/chat/stream", json=said)) for _ in range(4)]
        await mock_openrouter.wait_for_replies(4)
        server.process.send_signal(signal.SIGTERM)
        await until("a worker that is about to stop", partial(is_stopping, client))
        mock_openrouter.release()
        replies = await asyncio.gather(*turns)
    with server.process as process:
        status = await asyncio.to_thread(process.wait, 60)

    assert status == 0
    assert ['"finish_reason":"stop"' in reply.text for reply in replies] == [True] * 4
    assert not running(pids)


async def test_workers_stop_when_the_process_that_watches_is_killed(
    server: Server, postgres: PostgresServer, database: str
) -> None:
    pids = await workers_of(server, postgres, database)
    server.kill()

    async def left() -> set[int]:
        return running(pids)

    await until("workers that end", left, lambda found: not found)


def test_an_address_that_other_workers_listen_on_is_taken(server: Server, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2]
    done = idol(tmp_path, "serve", "--workers", "2", "--port", port, environment=server.environment)

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port} (Address already in use)" in done.stderr


def test_a_storage_of_one_process_has_one_worker(tmp_path: Path) -> None:
    done = idol(tmp_path, "serve", "--workers", "2", environment={"IDOLCHAT_STORAGE": "local"})

    assert done.returncode == 1
    assert "IDOLCHAT_WORKERS asks for 2 processes, but the storage 'local' is served by one alone" in done.stderr
    assert "IDOLCHAT_STORAGE" in done.stderr


def test_what_keeps_the_first_workers_from_serving_is_told_in_a_line(tmp_path: Path) -> None:
    given = environment_of(f"postgresql://postgres@127.0.0.1:{reserve_port()}/nothing")
    done = idol(tmp_path, "serve", "--workers", "2", environment={**given, "IDOLCHAT_PORT": "0"})

    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
