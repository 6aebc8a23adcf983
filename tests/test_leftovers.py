"""A turn leaves nothing for the collector of cycles, whose work would hold every stream up."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.support import uncollected
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.talk import Heard, say, say_over, socket

COMMAND = (sys.executable, str(Path(uncollected.__file__)), "serve")
TURNS = 5
PATIENCE_S = 60
METRICS_TOKEN = "a-token-of-the-test"


@pytest.fixture
def server(tmp_path: Path, mock_openrouter: Mock) -> Iterator[Server]:
    environment = {
        "IDOLCHAT_LLM": "openrouter",
        "OPENROUTER_API_KEY": "sk-or-v1-of-no-use",
        "OPENROUTER_BASE_URL": mock_openrouter.base_url,
        "IDOLCHAT_MODEL": "mock/n8-d1",
        "IDOLCHAT_METRICS_TOKEN": METRICS_TOKEN,
        "UNCOLLECTED": str(tmp_path / "report.json"),
    }
    with Server(tmp_path, environment, command=COMMAND) as started:
        yield started


@pytest.mark.parametrize("transport", ["rest", "sse"])
async def test_requests_leave_no_cycles(transport: str, server: Server) -> None:
    await talk(partial(say, transport, server))
    await asyncio.to_thread(left_over, server)  # what only the first turns leave
    await talk(partial(say, transport, server))
    assert await asyncio.to_thread(left_over, server) == {}


async def test_turns_of_a_socket_leave_no_cycles(server: Server) -> None:
    async with socket(server) as opened:
        await talk(partial(say_over, opened))
        await asyncio.to_thread(left_over, server)
        await talk(partial(say_over, opened))
        assert await asyncio.to_thread(left_over, server) == {}


async def talk(say_it: Callable[..., Awaitable[Heard]]) -> None:
    """Begin conversations, and go on with each."""
    for _ in range(TURNS):
        conversation_id = str(uuid4())
        for text in ("Hello!", "And then?"):
            await say_it(text, conversation_id=conversation_id)


def left_over(server: Server) -> dict[str, int]:
    """Count what is found for every turn, by its kind."""
    report = Path(server.environment["UNCOLLECTED"])
    until(lambda: is_at_rest(server), server)
    report.unlink(missing_ok=True)
    os.kill(server.process.pid, signal.SIGUSR1)
    until(report.exists, server)
    found: dict[str, int] = json.loads(report.read_text())
    return {kind: count for kind, count in found.items() if count >= TURNS}


def is_at_rest(server: Server) -> bool:
    """Whether no turn has anything left to do: one that has answered may still be storing."""
    metrics = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    return "idolchat_turns_running 0.0" in metrics.text


def until(condition: Callable[[], bool], server: Server) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at, server.log.read_text()
        time.sleep(0.02)
