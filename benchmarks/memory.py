"""Whether the server's memory stays flat: many turns one after another, then many streams at once, some times over.

    python benchmarks/memory.py [--warm-up 34000] [--turns 10000] [--streams 2000] [--bursts 4]

The warm-up fills what the server keeps up to a bound: the events of finished turns, histories, and what it knows of
4,096 files. Each turn is in a conversation of its own.

Starts a mock OpenRouter and a server on loopback, prints a Markdown table of the server's proportional set size, and
ends them. Needs the product and its test tools (``make dev``) and, for 2,000 streams, 8,192 open files (``ulimit -n``).
"""

import argparse
import asyncio
import re
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import aiohttp

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.server import Server  # noqa: E402

from benchmarks.upstream import mock_openrouter  # noqa: E402

SAMPLES = 10
WARM_UP_AT_ONCE = 8


def pss_mb(server: Server) -> float:
    told = Path(f"/proc/{server.process.pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+)", told, re.MULTILINE)
    assert found
    return int(found[1]) / 1024


def body(model: str) -> dict[str, object]:
    messages = [{"role": "user", "content": "Tell me about your next concert, please! " * 4}]
    return {"model": model, "conversation_id": str(uuid4()), "messages": messages}


async def turn(client: aiohttp.ClientSession, model: str) -> int:
    async with client.post("/chat/stream", json=body(model)) as response:
        data = await response.read()
    assert data.endswith(b"data: [DONE]\n\n"), data[-200:]
    return data.count(b"data: ")


async def warm_up(client: aiohttp.ClientSession, server: Server, turns: int) -> None:
    for sample in range(1, 5):
        for _ in range(turns // 4 // WARM_UP_AT_ONCE):
            await asyncio.gather(*(turn(client, "mock/n64-d0") for _ in range(WARM_UP_AT_ONCE)))
        print(f"| after {sample * turns // 4:,} turns of warm-up | {pss_mb(server):.1f} | |", flush=True)


async def one_after_another(client: aiohttp.ClientSession, server: Server, turns: int) -> None:
    for sample in range(1, SAMPLES + 1):
        begun = time.perf_counter()
        for _ in range(turns // SAMPLES):
            await turn(client, "mock/n64-d0")
        rate = turns / SAMPLES / (time.perf_counter() - begun)
        print(f"| {sample * turns // SAMPLES:,} turns more | {pss_mb(server):.1f} | {rate:.0f} turns/s |", flush=True)


async def all_at_once(client: aiohttp.ClientSession, server: Server, streams: int) -> None:
    before, most = pss_mb(server), 0.0
    running = asyncio.gather(*(turn(client, "mock/n256-d15") for _ in range(streams)))
    while not running.done():
        await asyncio.wait({running}, timeout=0.5)
        most = max(most, pss_mb(server))
    events = sum(await running)
    a_stream = (most - before) * 1024 / streams
    print(f"| {streams:,} streams open at once, at most | {most:.1f} | {a_stream:.1f} KB a stream, {events:,} events |")
    await asyncio.sleep(1)
    print(f"| when they are over | {pss_mb(server):.1f} | |", flush=True)


async def measure(server: Server, asked: argparse.Namespace) -> None:
    print("| when | PSS, MB | |\n|---|---:|---|")
    print(f"| started | {pss_mb(server):.1f} | |")
    async with aiohttp.ClientSession(server.url) as client:
        await warm_up(client, server, asked.warm_up)
        if asked.turns:
            await one_after_another(client, server, asked.turns)
    for _ in range(asked.bursts):
        # Clients of their own each time, whose connections are gone when the burst is over.
        async with aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(limit=0)) as client:
            await all_at_once(client, server, asked.streams)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warm-up", type=int, default=34_000)
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=2_000)
    parser.add_argument("--bursts", type=int, default=4)
    asked = parser.parse_args()
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = {
            "OPENROUTER_BASE_URL": stack.enter_context(mock_openrouter()) + "/api/v1",
            "OPENROUTER_API_KEY": "sk-x",
        }
        settings["IDOLCHAT_API_LOG_LEVEL"] = "warning"
        server = stack.enter_context(Server(folder, settings))
        asyncio.run(measure(server, asked))


if __name__ == "__main__":
    main()
