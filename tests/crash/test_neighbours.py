"""A server under load and commands of `idol` in the same conversations, of which either is killed at random."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.crash.conftest import Tally
from tests.crash.neighbours import Neighbours
from tests.support.faults import compile_shim
from tests.support.mock_openrouter.fixture import Mock

ROUNDS = int(os.environ.get("IDOLCHAT_NEIGHBOUR_ROUNDS", "3"))
USERS = ("5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e", "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55")
LONG_AGO = "2024-02-29T12:00:00Z"
NEVER = float("inf")
KILLED = -signal.SIGKILL


@dataclass(slots=True, eq=False)
class Span:
    """From when to when something was done; `ended` is never where nobody knows whether it was."""

    began: float = field(default_factory=time.monotonic)
    ended: float = NEVER

    def end(self) -> None:
        """Note that it was done."""
        self.ended = time.monotonic()

    def precedes(self, other: Span) -> bool:
        """Return whether it was done before the other began."""
        return self.ended < other.began


@dataclass(slots=True, eq=False)
class Said(Span):
    """A text of its own that was written into a conversation."""

    text: str = ""
    conversation_id: str = ""


@dataclass(slots=True, eq=False)
class Removal(Span):
    """What removes all that stands in these conversations, but the text that it puts there."""

    conversations: tuple[str, ...] = ()
    keeps: Said | None = None
    user: str | None = None
    tried_until: float = NEVER

    def may_have_removed(self, said: Said) -> bool:
        """Return whether the text may be gone because of it, done or not."""
        return self._concerns(said) and said.began < self.tried_until

    def has_removed(self, said: Said) -> bool:
        """Return whether the text must be gone because of it."""
        return self._concerns(said) and self.ended != NEVER and said.precedes(self)

    def _concerns(self, said: Said) -> bool:
        return said.conversation_id in self.conversations and said is not self.keeps


class World:
    """What two neighbours did to a few conversations, and what must be true of them afterwards."""

    def __init__(self, neighbours: Neighbours, dice: Random) -> None:
        self.neighbours = neighbours
        self.dice = dice
        self.owners = {str(UUID(int=dice.getrandbits(128), version=4)): USERS[n % 2] for n in range(6)}
        self.said: list[Said] = []
        self.removals: list[Removal] = []
        self.forks: list[Span] = []

    def new_text(self, conversation_id: str) -> Said:
        """Note a text that is about to be written."""
        said = Said(text=f"w{self.dice.getrandbits(64):016x}", conversation_id=conversation_id)
        self.said.append(said)
        return said

    @asynccontextmanager
    async def removing(self, *conversations: str, **about: Any) -> AsyncIterator[Removal]:
        """Note a removal while it is tried; who did it says whether it was done."""
        removal = Removal(conversations=conversations, **about)
        self.removals.append(removal)
        try:
            yield removal
        finally:
            removal.tried_until = time.monotonic()

    def differences(self, documents: dict[str, str], on_disk: str) -> list[str]:
        """Hold what was done against the documents by conversation, and all files in one text."""
        found = []
        for said in self.said:
            times = documents.get(said.conversation_id, "").count(said.text)
            if times > 1:
                found.append(f"{said.text} is there {times} times")
            if any(removal.has_removed(said) for removal in self.removals):
                found += [f"{said.text} was removed, and is there"] * times
            elif said.ended != NEVER and not any(removal.may_have_removed(said) for removal in self.removals):
                found += [] if times else [f"{said.text} was acknowledged, and is lost"]
            if said.text in on_disk and any(self._has_erased(removal, said) for removal in self.removals):
                found.append(f"{said.text} was erased with its user, and is on the disk")
        return found

    def _has_erased(self, removal: Removal, said: Said) -> bool:
        """Return whether no copy may be left; a fork that was made meanwhile may have one."""
        meanwhile = [one for one in self.forks if not one.precedes(removal) and one.began < removal.ended]
        return removal.user is not None and removal.has_removed(said) and not meanwhile

    async def talk(self, url: str) -> None:
        """Say something, or delete, until the server has gone."""
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            while True:
                conversation_id = self.dice.choice(list(self.owners))
                if self.dice.random() < 0.08:
                    async with self.removing(conversation_id) as removal:
                        if (await client.delete(f"/conversation/{conversation_id}")).status_code in (204, 404):
                            removal.end()
                else:
                    await self.say(client, conversation_id)

    async def say(self, client: httpx.AsyncClient, conversation_id: str) -> None:
        """Send a message, and wait for its reply."""
        said = self.new_text(conversation_id)
        where = {"conversation_id": conversation_id, "user_id": self.owners[conversation_id]}
        messages = [{"role": "user", "content": said.text}]
        model = self.dice.choice(("mock/echo-u", "mock/n16-d2"))
        reply = await client.post("/chat", json={"messages": messages, "on_busy": "enqueue", "model": model, **where})
        if reply.status_code == 200:
            said.end()

    async def command(self) -> None:
        """Run one command in some conversation; half of them are killed at some call."""
        conversation_id = self.dice.choice(list(self.owners))
        work = self.dice.choice(
            (self._import, self._import, self._delete, self._erase, self._fork, self._chat, self._look_after)
        )
        status, printed = await work(conversation_id)
        Tally.kills += status == KILLED
        assert status in (0, 1, KILLED), printed
        assert "Traceback" not in printed, printed

    async def _idol(self, *arguments: str, text: str = "") -> tuple[int, str]:
        kill_at = self.dice.randint(1, 12) if self.dice.random() < 0.5 else None
        return await self.neighbours.idol(*arguments, kill_at=kill_at, text=text)

    async def _import(self, conversation_id: str) -> tuple[int, str]:
        said = self.new_text(conversation_id)
        message = {"role": "user", "content": said.text, "timestamp": LONG_AGO}
        made = {"id": conversation_id, "user_id": self.owners[conversation_id]}
        made |= {"created_at": LONG_AGO, "updated_at": LONG_AGO}
        file = self.neighbours.folder / f"{said.text}.json"
        file.write_text(json.dumps(made | {"messages": [message]}))
        async with self.removing(conversation_id, keeps=said) as removal:
            done = await self._idol("conversations", "import", str(file), "--on-conflict", "overwrite")
            if done[0] == 0:
                removal.end()
                said.end()
        return done

    async def _delete(self, conversation_id: str) -> tuple[int, str]:
        async with self.removing(conversation_id) as removal:
            done = await self._idol("conversations", "delete", conversation_id, "--yes")
            if done[0] == 0:
                removal.end()
        return done

    async def _erase(self, conversation_id: str) -> tuple[int, str]:
        user = self.owners[conversation_id]
        async with self.removing(*(one for one, owner in self.owners.items() if owner == user), user=user) as removal:
            done = await self._idol("users", "erase", user, "--yes")
            if done[0] == 0:
                removal.end()
        return done

    async def _fork(self, conversation_id: str) -> tuple[int, str]:
        span = Span()
        self.forks.append(span)
        done = await self._idol("conversations", "fork", conversation_id)
        span.end()
        return done

    async def _chat(self, conversation_id: str) -> tuple[int, str]:
        said = self.new_text(conversation_id)
        where = ("--conversation", conversation_id, "--user", self.owners[conversation_id])
        done = await self._idol("chat", *where, text=said.text)
        if done[0] == 0:
            said.end()
        return done

    async def _look_after(self, _: str) -> tuple[int, str]:
        elsewhere = f"local:{self.neighbours.folder / 'elsewhere'}"
        commands = (
            ("storage", "repair"),
            ("storage", "gc", "--older-than", "0h", "--yes"),
            ("storage", "migrate", "--to", elsewhere),
            ("storage", "verify"),
        )
        return await self._idol(*self.dice.choice(commands))


@pytest.fixture
def neighbours(tmp_path: Path, mock_openrouter: Mock) -> Iterator[Neighbours]:
    """A server, not started yet."""
    neighbours = Neighbours(tmp_path / "neighbours", compile_shim(tmp_path), mock_openrouter)
    yield neighbours
    if neighbours.server.is_running:
        neighbours.server.kill()


async def one_round(world: World, neighbours: Neighbours) -> None:
    """Serve, talk and run commands; the server is killed at some call while they are at work."""
    neighbours.server.start()
    talking = [asyncio.create_task(world.talk(neighbours.server.url)) for _ in range(3)]
    neighbours.faults.kill_at(world.dice.randint(1, 400))
    for _ in range(3):
        await asyncio.gather(*(world.command() for _ in range(2)))
    neighbours.faults.kill_at(world.dice.randint(1, 40))
    for task in talking:
        with suppress(httpx.TransportError):
            await task
    assert neighbours.server.stop() == KILLED  # it is dead already
    Tally.kills += 1
    neighbours.faults.release()


def all_files(data: Path) -> str:
    """Read all that is on the disk, as one text."""
    return "\n".join(path.read_bytes().decode("latin-1") for path in sorted(data.rglob("*")) if path.is_file())


async def read_documents(neighbours: Neighbours, world: World) -> dict[str, str]:
    """Read every conversation that is there."""
    async with httpx.AsyncClient(base_url=neighbours.server.url, timeout=60) as client:
        replies = {one: await client.get(f"/conversation/{one}") for one in world.owners}
    assert {reply.status_code for reply in replies.values()} <= {200, 404}
    said = {
        one: [m["content"] for m in r.json()["messages"] if m["role"] == "user"]
        for one, r in replies.items()
        if r.is_success
    }
    return {one: "\n".join(texts) for one, texts in said.items()}


async def test_neighbours_lose_nothing_and_bring_nothing_back(neighbours: Neighbours, dice: Random) -> None:
    world = World(neighbours, dice)
    for _ in range(ROUNDS):
        await one_round(world, neighbours)
    neighbours.server.start()
    async with httpx.AsyncClient(base_url=neighbours.server.url, timeout=60) as client:
        for conversation_id in world.owners:
            await world.say(client, conversation_id)  # every conversation goes on
    documents = await read_documents(neighbours, world)
    neighbours.server.stop()

    assert [said.text for said in world.said[-len(world.owners) :] if said.ended == NEVER] == []
    assert world.differences(documents, all_files(neighbours.data)) == []
    status, printed = await neighbours.idol("storage", "verify")
    assert status == 0, printed
