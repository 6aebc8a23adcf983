"""What a turn over /v1 costs beside one over /chat, and how long a history takes to be recognised.

    python benchmarks/v1.py [--conversations 150] [--rounds 3]

Starts a mock OpenRouter and a server on loopback, prints Markdown tables of the server's CPU time, and ends them. Each
measured turn is the seventh of its conversation: over /chat the new message is sent alone, over /v1 with the twelve
before it. Needs the product and its test tools (``make dev``).
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.server import Server  # noqa: E402

from benchmarks.upstream import mock_openrouter  # noqa: E402
from idolchat_api_openai.matching.alignment import align, telling_replies  # noqa: E402
from idolchat_api_openai.matching.tree import Tree  # noqa: E402
from idolchat_api_openai.requests.said import History  # noqa: E402
from idolchat_core import Conversation, Message, new_id, utc_now  # noqa: E402

TURNS_BEFORE = 5
MODEL = "mock/n16-d0"

type Turn = Callable[[aiohttp.ClientSession, int], Awaitable[None]]


def cpu_ms(server: Server) -> float:
    """CPU time of the server so far, in steps of the kernel's clock."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Talk:
    """One conversation, as its client keeps it."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.id = str(uuid4())
        self.character = str(uuid4())
        self.messages: list[dict[str, Any]] = []

    async def turn(self, client: aiohttp.ClientSession, number: int) -> None:
        """Send a message and read the reply."""
        new = {"role": "user", "content": f"What do you think of number {number}? " * 4}
        self.messages.append(new)
        if self.way == "/chat":
            body: dict[str, Any] = {"model": MODEL, "messages": [new], "conversation_id": self.id}
            reply = await self._post(client, "/chat", body | {"character_id": self.character}, {})
        else:
            named = {"X-Idolchat-Conversation": self.id} if self.way == "/v1, named" else {}
            reply = await self._post(
                client, "/v1/chat/completions", {"model": self.character, "messages": self.messages}, named
            )
        text = reply["choices"][0]["message"]["content"]
        self.messages.append({"role": "assistant", "content": text})

    async def _post(
        self, client: aiohttp.ClientSession, path: str, body: dict[str, Any], headers: dict[str, str]
    ) -> dict[str, Any]:
        async with client.post(path, json=body, headers=headers) as response:
            data = await response.read()
        assert response.status == 200, data[:300]
        reply: dict[str, Any] = orjson.loads(data)
        return reply


async def measured(server: Server, way: str, count: int) -> float:
    """Return the CPU of one turn after those before, in milliseconds."""
    talks = [Talk(way) for _ in range(count)]
    async with aiohttp.ClientSession(server.url) as client:
        for number in range(TURNS_BEFORE):
            for talk in talks:
                await talk.turn(client, number)
        before = cpu_ms(server)
        for talk in talks:
            await talk.turn(client, TURNS_BEFORE)
        return (cpu_ms(server) - before) / count


def turns(asked: argparse.Namespace) -> None:
    """Measure turns over each way, in turn."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = {
            "OPENROUTER_BASE_URL": stack.enter_context(mock_openrouter()) + "/api/v1",
            "OPENROUTER_API_KEY": "sk-x",
            "IDOLCHAT_MODEL": MODEL,
            "IDOLCHAT_API_LOG_LEVEL": "warning",
            "IDOLCHAT_PLUGINS": "storage-local,llm-openrouter,api-openai",
        }
        server = stack.enter_context(Server(folder, settings))
        ways = ("/chat", "/v1, named", "/v1, recognised")
        took: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(asked.rounds):
            for way in (*ways[number % 3 :], *ways[: number % 3]):
                took[way].append(asyncio.run(measured(server, way, asked.conversations)))
        beside = statistics.median(took["/chat"])
        print("| way | CPU of the server, ms a turn | to /chat |\n|---|---:|---:|")
        for way in ways:
            middle = statistics.median(took[way])
            print(f"| {way} | {middle:.2f} | {middle / beside:.2f} |")


def history(count: int) -> tuple[Tree, list[dict[str, Any]]]:
    """Make a conversation of so many messages, and what a client sends of it with a new one."""
    now = utc_now()
    stored, sent = [], []
    for number in range(count):
        role = "assistant" if number % 2 else "user"
        text = f"Reply number {number}: the forest hums softly as she smiles and says that it will be well. " * 4
        stored.append(Message(id=new_id(), role=role, content=text, timestamp=now))
        sent.append({"role": role, "content": text})
    tree = Tree(Conversation(id=new_id(), created_at=now, updated_at=now))
    tree.add(stored)
    return tree, [*sent, {"role": "user", "content": "And now?"}]


def best(act: Callable[[], object]) -> float:
    """Return the least CPU time of several tries, in milliseconds."""
    found = []
    for _ in range(20):
        begun = time.process_time()
        act()
        found.append(1000 * (time.process_time() - begun))
    return min(found)


CHANGES: dict[str, Callable[[str], str]] = {
    "the same": lambda text: text,
    "trimmed": str.strip,
    "renamed": lambda text: f"Ren: {text}",
}
"""What clients do to the messages of the user."""


def recognition() -> None:
    """Measure how long a history takes: the same to the letter, trimmed, renamed, and cut off."""
    print(f"\n| messages | body read, ms | {' | '.join(CHANGES)} | cut off |\n|---:|---:|---:|---:|---:|---:|")
    for count in (10, 100, 500, 2000):
        _, sent = history(count)
        body = orjson.dumps(sent)
        columns = [best(partial(orjson.loads, body))]
        columns += [_recognised(count, change, skip=0) for change in CHANGES.values()]
        columns.append(_recognised(count, CHANGES["the same"], skip=count // 2))
        print(f"| {count:,} | " + " | ".join(f"{column:.2f}" for column in columns) + " |")


def _recognised(count: int, change: Callable[[str], str], *, skip: int) -> float:
    """Measure the first time, when nothing of it was learnt, and check that it is right; the best of several."""
    found = []
    for _ in range(7):
        tree, sent = history(count)
        for one in sent:
            if one["role"] == "user":
                one["content"] = change(one["content"])
        sent = orjson.loads(orjson.dumps(sent[skip:]))  # as a body is read: no text was hashed before
        begun = time.process_time()
        said = History.of(sent).said
        telling_replies(said)
        known = align(tree, said)
        found.append(1000 * (time.process_time() - begun))
        assert known.count == count - skip, (known.count, count, skip)
    return min(found)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    turns(parser.parse_args())
    recognition()


if __name__ == "__main__":
    main()
