"""What memory adds to a turn: the same turns through servers without it, with it and nothing remembered, and with it.

    python -m benchmarks.memory_turn [--rounds 30] [--at-once 16] [--semantic] [--instructions]

Each user has an older conversation of 588 messages, and one that goes on, in which all turns are. Turns come 16 at
once, to one server after the other, so that what else the machine does falls on all alike. A turn is counted from its
request to its reply; what is noted after it, about 0.1 s later, is counted apart. The event loop's thread is shown by
itself: it is what every other turn waits for. The other threads' part of a turn is what is asked of memory, and held
against the storage.

CPU time is the kernel's, of each thread (``/proc/PID/task``); medians of the rounds. ``--instructions`` counts those in
user space by callgrind, which do not move with the load of the machine, of turns alone: nothing is noted in there.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import aiohttp

from benchmarks.memory_cost import SCOPE_SIZE, Texts
from benchmarks.upstream import mock_openrouter
from idolchat_core import Conversation, Message, new_id
from idolchat_storage_local import LocalSettings, open_local_storage

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.server import Server  # noqa: E402

WITHOUT, EMPTY, WITH = "without memory", "with memory, nothing remembered", "with memory"
PLUGINS = "storage-local,storage-supabase,llm-openrouter"
CHARACTER = UUID(int=2)
WARM_UP = 6
NOTED_S = 1.5
"""Until what follows a turn is done: notes are taken 0.1 s after it, explanations are written 1 s after it."""
_LATER_S = 3600
_CALLGRIND = ("valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes")
_PROGRAM = f"""
import gc, sys
from idolchat_core.mirror import server_notes, tracked, tuning
from idolchat_core.turns import prompt_records, prompting
gc.disable()
tracked.OBSERVER_TUNING = tuning.MirrorTuning(settle_s={_LATER_S})
server_notes.LOOK_EVERY_S = {_LATER_S}
prompt_records.WRITE_EVERY_S = {_LATER_S}
prompting.SOURCE_TIMEOUT_S = 60.0
sys.setswitchinterval(60)
sys.setswitchinterval = print
sys.argv = ["idol", "serve"]
from idolchat_cli.main import main
main()
"""
"""A server that takes its notes when all is over, and waits for memory however long it takes; its event loop does not
ask for the interpreter every millisecond while another thread has it, which so slow a machine would count for work. Nor
does it look for what commands have changed, four times a second, or collect garbage, in whichever thread that falls to:
turns that take ten times as long for being counted would be charged with it by chance."""


class Cost(NamedTuple):
    """What some turns took: of the event loop's thread, and of the others."""

    loop: float
    others: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.loop - other.loop, self.others - other.others)


@dataclass
class Served:
    """A server with its users, and what its turns took, round by round."""

    name: str
    server: Server
    users: Sequence[UUID]
    texts: Texts
    talks: dict[UUID, str] = field(default_factory=dict)
    turns: list[Cost] = field(default_factory=list)
    notes: list[Cost] = field(default_factory=list)

    async def say(self, client: aiohttp.ClientSession, user: UUID) -> None:
        """Send a turn of a user, in the conversation that goes on."""
        where = (
            {"character_id": str(CHARACTER)}
            if self.name == EMPTY
            else {"character_id": str(CHARACTER), "user_id": str(user)}
        )
        if user in self.talks:
            where = {"conversation_id": self.talks[user]}
        messages = [{"role": "user", "content": self.texts.question()}]
        body = {"model": "mock/j40-d0", "messages": messages, **where}
        async with client.post(f"{self.server.url}/chat", json=body) as response:
            answer = await response.json()
            assert response.status == 200, answer
        self.talks[user] = answer["conversation_id"]

    async def round(self, client: aiohttp.ClientSession) -> None:
        """Send a turn of each user at once."""
        await asyncio.gather(*[self.say(client, user) for user in self.users])

    def cpu_ms(self) -> Cost:
        """Read what the process took since its start, in milliseconds."""
        tasks = Path(f"/proc/{self.server.pid}/task")
        took = {task.name: int((task / "schedstat").read_text().split()[0]) / 1e6 for task in tasks.iterdir()}
        return Cost(took[str(self.server.pid)], sum(took.values()) - took[str(self.server.pid)])


async def remember(folder: Path, texts: Texts, users: Sequence[UUID]) -> None:
    """Store an older conversation of each user."""
    async with open_local_storage(LocalSettings(data_dir=folder / "data")) as storage:
        for user in users:
            told = [texts.message(position) for position in range(SCOPE_SIZE)]
            said = [Message(id=new_id(), role=one.role, content=one.text, timestamp=one.said_at) for one in told]
            ids = {"id": new_id(), "user_id": user, "character_id": CHARACTER}
            times = {"created_at": said[0].timestamp, "updated_at": said[-1].timestamp}
            await storage.put(Conversation.model_validate({**ids, **times, "messages": said}))


def environment(name: str, upstream: str, *, semantic: bool) -> dict[str, str]:
    """Describe a server."""
    return {
        "IDOLCHAT_PLUGINS": PLUGINS if name == WITHOUT else f"{PLUGINS},memory",
        "IDOLCHAT_LLM": "openrouter",
        "IDOLCHAT_MEMORY_SEMANTIC": "on" if semantic else "off",
        "IDOLCHAT_API_LOG_LEVEL": "warning",
        "OPENROUTER_BASE_URL": f"{upstream}/api/v1",
        "OPENROUTER_API_KEY": "sk-of-no-use",
    }


async def warm_up(client: aiohttp.ClientSession, served: Served) -> None:
    """Wait until all is indexed, and hold the first turns."""
    if served.name == WITH:
        await asyncio.gather(*[_indexed(client, served, user) for user in served.users])
    for _ in range(WARM_UP):
        await served.round(client)
        await asyncio.sleep(0.2)


async def _indexed(client: aiohttp.ClientSession, served: Served, user: UUID) -> None:
    asked = {"text": served.texts.question(), "user_id": str(user), "character_id": str(CHARACTER), "everything": True}
    while True:
        async with client.post(f"{served.server.url}/memory/search", json=asked) as response:
            if (await response.json()).get("data"):
                return
        await asyncio.sleep(0.2)


async def measure_cpu(client: aiohttp.ClientSession, all_served: Sequence[Served], rounds: int) -> None:
    """Measure all servers, in rounds of one after the other; milliseconds a turn."""
    for _ in range(rounds):
        after = dict[str, Cost]()
        for served in random.sample(all_served, len(all_served)):
            before = served.cpu_ms()
            await served.round(client)
            after[served.name] = served.cpu_ms()
            served.turns.append(after[served.name] - before)
        await asyncio.sleep(NOTED_S)
        for served in all_served:
            served.notes.append(served.cpu_ms() - after[served.name])


async def measure_instructions(client: aiohttp.ClientSession, served: Served, rounds: int) -> None:
    """Count one server's; millions of instructions a round."""
    for what in ("--instr=on", "--zero"):
        _control(served, what)
    for _ in range(rounds):
        await served.round(client)
    served.turns.append(_dumped(served, rounds))


def _control(served: Served, what: str) -> None:
    subprocess.run(["callgrind_control", what, str(served.server.pid)], check=True, capture_output=True)


def _dumped(served: Served, rounds: int) -> Cost:
    out = served.server.folder / "counts"
    before = set(out.iterdir())
    _control(served, "--dump")
    counts = {path.name.rpartition("-")[2]: _total(path) / 1e6 / rounds for path in set(out.iterdir()) - before}
    return Cost(counts["01"], sum(counts.values()) - counts["01"])


def _total(dump: Path) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", dump.read_text(errors="replace"), re.MULTILINE)
    return int(found[1]) if found else 0


def table(all_served: Sequence[Served], at_once: int, unit: str) -> str:
    """Write what a turn took at each server, and what that is more than without memory."""
    parts = {"the turn": "turns", "noted after it": "notes"} if all_served[0].notes else {"the turn": "turns"}
    heads = [f"{part}: {thread}" for part in parts for thread in ("event loop", "other threads")]
    lines = [f"| {unit} a turn | {' | '.join(heads)} | event loop, more |", f"|---|{'---:|' * (len(heads) + 1)}"]
    base = 0.0
    for served in all_served:
        costs = [getattr(served, kind) for kind in parts.values()]
        took = [statistics.median(each) / at_once for cost in costs for each in zip(*cost, strict=True)]
        base = base or took[0]
        cells = [*[f"{one:.3f}" for one in took], f"{100 * (took[0] / base - 1):+.1f} %"]
        lines.append(f"| {served.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


async def start(folder: Path, name: str, upstream: str, asked: argparse.Namespace, stack: ExitStack) -> Served:
    """Start a server on what its users have said."""
    place = folder / name
    (place / "counts").mkdir(parents=True)
    users, texts = [UUID(int=1000 + at) for at in range(asked.at_once)], Texts(7)
    await remember(place, texts, users)
    command = [sys.executable, "-m", "idolchat_cli", "serve"]
    if asked.instructions:
        command = [
            *_CALLGRIND,
            f"--callgrind-out-file={place / 'counts' / 'callgrind'}",
            sys.executable,
            "-c",
            _PROGRAM,
        ]
    server = Server(place, environment(name, upstream, semantic=asked.semantic), command=command)
    await asyncio.to_thread(server.start)
    stack.callback(server.kill)
    return Served(name, server, users, texts)


async def measure(folder: Path, upstream: str, asked: argparse.Namespace, stack: ExitStack) -> str:
    """Start the servers, measure, and return the table."""
    starting = [start(folder, name, upstream, asked, stack) for name in (WITHOUT, EMPTY, WITH)]
    all_served = await asyncio.gather(*starting)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(300)) as client:
        await asyncio.gather(*[warm_up(client, served) for served in all_served])
        if asked.instructions:
            await asyncio.gather(*[measure_instructions(client, served, asked.rounds) for served in all_served])
        else:
            await measure_cpu(client, all_served, asked.rounds)
    return table(all_served, asked.at_once, "million instructions" if asked.instructions else "CPU ms")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--at-once", type=int, default=16, help="users, each with a turn a round")
    parser.add_argument("--semantic", action="store_true", help="late interaction too (the extra `semantic`)")
    parser.add_argument("--instructions", action="store_true", help="count instructions; 4 rounds are enough")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        print(asyncio.run(measure(folder, stack.enter_context(mock_openrouter()), asked, stack)))


if __name__ == "__main__":
    main()
