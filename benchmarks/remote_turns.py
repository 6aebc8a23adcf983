"""How soon a turn is followed at another server, and stopped from there: real servers, one PostgreSQL, loopback.

    python -m benchmarks.remote_turns [--turns 200] [--bus redis] [--beside 0]

Each turn is begun at one server, followed at the other until the first bytes are there, stopped through the other until
the answer is there. ``--beside`` turns run meanwhile. Prints a Markdown row.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles
from uuid import uuid4

import httpx
from tests.support.server import Server

from benchmarks.upstream import mock_openrouter
from idolchat_bus_redis.testing import running_redis
from idolchat_storage_postgres.testing import running_postgres

MODEL = "mock/n4000-d15"


async def measure(here: httpx.AsyncClient, there: httpx.AsyncClient, turns: int) -> tuple[list[float], list[float]]:
    """Return seconds to the first bytes, and to the answer that a turn is stopped."""
    firsts, stops = [], []
    for _ in range(turns):
        turn_id, reading = await begun(here)
        began_at = time.perf_counter()
        async with there.stream("GET", f"/turns/{turn_id}/stream") as said:
            await anext(said.aiter_raw())
            firsts.append(time.perf_counter() - began_at)
        began_at = time.perf_counter()
        (await there.post(f"/turns/{turn_id}/cancel")).raise_for_status()
        stops.append(time.perf_counter() - began_at)
        await reading
    return firsts, stops


async def begun(client: httpx.AsyncClient) -> tuple[str, asyncio.Task[None]]:
    """Begin a turn, and return its id and who reads it."""
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def read() -> None:
        body = {
            "messages": [{"role": "user", "content": "A long story, please!"}],
            "model": MODEL,
            "conversation_id": str(uuid4()),
        }
        async with client.stream("POST", "/chat/stream", json=body) as said:
            async for line in said.aiter_lines():
                if not started.done() and '"turn_id"' in line:
                    started.set_result(line.split('"turn_id":"')[1].split('"')[0])

    reading = asyncio.create_task(read())
    return await started, reading


async def run(urls: list[str], turns: int, beside: int) -> tuple[list[float], list[float]]:
    limits = httpx.Limits(max_connections=2000)
    async with (
        httpx.AsyncClient(base_url=urls[0], timeout=120, limits=limits) as here,
        httpx.AsyncClient(base_url=urls[1], timeout=120) as there,
    ):
        others = [await begun(here) for _ in range(beside)]
        measured = await measure(here, there, turns)
        for turn_id, reading in others:
            await here.post(f"/turns/{turn_id}/cancel")
            await reading
        return measured


def main() -> None:
    """Measure, and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--turns", type=int, default=200)
    options.add_argument("--beside", type=int, default=0)
    options.add_argument("--bus", choices=["postgres", "redis"], default="postgres")
    given = options.parse_args()
    with ExitStack() as stack:
        postgres, redis = stack.enter_context(running_postgres(fsync=True)), stack.enter_context(running_redis())
        environment = {
            "IDOLCHAT_STORAGE": "postgres",
            "IDOLCHAT_POSTGRES_URL": postgres.make_database("idolchat"),
            "IDOLCHAT_PLUGINS": "storage-postgres,llm-openrouter,bus-redis",
            "OPENROUTER_BASE_URL": f"{stack.enter_context(mock_openrouter())}/api/v1",
            "OPENROUTER_API_KEY": "sk-of-no-use",
            "IDOLCHAT_API_LOG_LEVEL": "error",
            "IDOLCHAT_API_USER_REQUESTS_PER_MINUTE": "0",
        }
        if given.bus == "redis":
            environment |= {"IDOLCHAT_BUS": "redis", "IDOLCHAT_REDIS_URL": redis.url}
        urls = []
        for _ in range(2):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            urls.append(stack.enter_context(Server(folder, environment)).url)
        firsts, stops = asyncio.run(run(urls, given.turns, given.beside))
    cells = [f"{1000 * quantiles(times, n=100)[p - 1]:.0f}" for times in (firsts, stops) for p in (50, 99)]
    sys.stdout.write(
        "| bus | turns beside | first bytes ms p50 / p99 | stop ms p50 / p99 |\n|---|---:|---:|---:|\n"
        f"| {given.bus} | {given.beside} | {cells[0]} / {cells[1]} | {cells[2]} / {cells[3]} |\n"
    )


if __name__ == "__main__":
    main()
