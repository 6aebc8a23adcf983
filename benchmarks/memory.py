"""Whether the server's memory stays flat: many turns one after another, then many streams open at once, twice.

    python benchmarks/memory.py [--turns 10000] [--streams 2000] [--retained-mb 4]

Starts a mock OpenRouter and a server on loopback, prints a Markdown table of the server's proportional set size, and
ends them. Needs the product and its test tools (``make dev``) and, for 2,000 streams, 8,192 open files (``ulimit -n``).
"""

import argparse
import asyncio
import re
import resource
import subprocess
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

SAMPLES = 10
WARM_UP_TURNS = 1000


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


async def one_after_another(client: aiohttp.ClientSession, server: Server, turns: int) -> None:
    for _ in range(WARM_UP_TURNS):
        await turn(client, "mock/n64-d0")
    print(f"| after {WARM_UP_TURNS:,} turns of warm-up | {pss_mb(server):.1f} | |")
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
    print(f"| when they are over | {pss_mb(server):.1f} | |")


async def measure(server: Server, turns: int, streams: int) -> None:
    print("| when | PSS, MB | |\n|---|---:|---|")
    print(f"| started | {pss_mb(server):.1f} | |")
    connections = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(server.url, connector=connections) as client:
        await one_after_another(client, server, turns)
        for _ in range(2):
            await all_at_once(client, server, streams)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=2_000)
    parser.add_argument("--retained-mb", type=int, help="bound of the events of finished turns that are kept")
    asked = parser.parse_args()
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command = [sys.executable, "-m", "tests.support.mock_openrouter", "--port", "0"]
        mock = stack.enter_context(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        stack.callback(mock.terminate)
        assert mock.stdout
        settings = {"OPENROUTER_BASE_URL": mock.stdout.readline().strip() + "/api/v1", "OPENROUTER_API_KEY": "sk-x"}
        settings["IDOLCHAT_API_LOG_LEVEL"] = "warning"
        if asked.retained_mb is not None:
            settings["IDOLCHAT_TURN_RETENTION_BYTES"] = str(asked.retained_mb * 1024 * 1024)
        server = stack.enter_context(Server(folder, settings))
        asyncio.run(measure(server, asked.turns, asked.streams))


if __name__ == "__main__":
    main()
