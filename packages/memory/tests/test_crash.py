"""A process that is killed while it writes leaves an index that agrees with itself, and goes on from there."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from idolchat_memory import MemoryMessage, MemoryScope, open_sqlite_index
from idolchat_memory.contract import MemoryIndex
from idolchat_memory.testing import snapshot

SCOPE, TALK = MemoryScope(user_id="mia", character_id="yui"), UUID(int=1)
KILLS = 8
WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_crash import write_for_ever
asyncio.run(write_for_ever(Path(sys.argv[1])))
"""


class State(NamedTuple):
    """The conversation after so many revisions."""

    active: Sequence[MemoryMessage]
    inactive: Sequence[MemoryMessage]


def state_at(revision: int) -> State:
    """The conversation grows, and every seventh revision takes the last three messages out of the branch."""
    active: list[MemoryMessage] = []
    inactive: list[MemoryMessage] = []
    for number in range(1, revision + 1):
        if number % 7 == 0:
            inactive += active[-3:]
            del active[-3:]
        else:
            active += messages_of(number)
    return State(active, inactive)


def messages_of(number: int) -> list[MemoryMessage]:
    said_at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=number)
    texts = (f"question {number} about dogs and cake", f"answer {number} " + "word " * (number % 50))
    return [
        MemoryMessage(f"{number}-{part}", 2 * number + part, ("user", "assistant")[part], "", said_at, text)
        for part, text in enumerate(texts)
    ]


async def write(index: MemoryIndex, revision: int) -> None:
    """Bring the index from the revision before to this one."""
    if revision % 7:
        await index.append(SCOPE, TALK, messages_of(revision), revision=revision)
    else:
        ids = [message.message_id for message in state_at(revision).active]
        await index.set_active_branch(SCOPE, TALK, ids, revision=revision)


async def write_for_ever(path: Path) -> None:
    """Go on from what is known, and say when there is something to be killed for."""
    async with open_sqlite_index(path) as index:
        known = await index.known(SCOPE, TALK)
        revision = known.revision if known else 0
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            revision += 1
            await write(index, revision)


def test_an_index_whose_writer_is_killed_equals_one_built_anew(tmp_path: Path) -> None:
    chance = random.Random(17)
    revisions = [0]
    for kill in range(KILLS):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "index.sqlite"), str(Path(__file__).parent)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout
            assert writer.stdout.readline() == b"ready\n"
            try:
                writer.wait(chance.uniform(0.01, 0.3))
            except subprocess.TimeoutExpired:
                writer.kill()
        revisions.append(asyncio.run(_check(tmp_path / "index.sqlite", tmp_path / f"anew-{kill}.sqlite")))

    assert revisions == sorted(revisions)
    assert revisions[-1] > KILLS


async def _check(path: Path, scratch: Path) -> int:
    async with open_sqlite_index(path) as index, open_sqlite_index(scratch) as anew:
        known = await index.known(SCOPE, TALK)
        revision = known.revision if known else 0
        active, inactive = state_at(revision)
        await anew.replace(SCOPE, TALK, active, inactive=inactive, revision=1)

        assert await index.verify() == []
        assert await index.read(SCOPE, snapshot) == await anew.read(SCOPE, snapshot)
        assert (await index.stats())[:4] == ((1, 1, len(active), len(inactive)) if revision else (0, 0, 0, 0))
    return revision
