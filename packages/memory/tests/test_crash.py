"""A process that is killed while it writes leaves an index that agrees with itself, and goes on from there."""

import asyncio
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from idolchat_core import MemoryIndex, MemoryMessage, MemoryScope
from idolchat_core.testing import memory_snapshot
from idolchat_memory.sqlite import open_sqlite_index

SCOPE, TALK = MemoryScope(user_id="mia", character_id="yui"), UUID(int=1)
KILLS = 8
WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_crash import write_for_ever
asyncio.run(write_for_ever(Path(sys.argv[1])))
"""


def state_at(revision: int) -> list[MemoryMessage]:
    """The conversation grows, and at every seventh revision its last three messages give way to others."""
    messages: list[MemoryMessage] = []
    for number in range(1, revision + 1):
        messages = (messages[:-3] if number % 7 == 0 else messages) + messages_of(number)
    return messages


def messages_of(number: int) -> list[MemoryMessage]:
    said_at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=number)
    texts = (f"question {number} about dogs and cake", f"answer {number} " + "word " * (number % 50))
    return [
        MemoryMessage(f"{number}-{part}", 2 * number + part, ("user", "assistant")[part], "", said_at, text)
        for part, text in enumerate(texts)
    ]


async def write(index: MemoryIndex, revision: int) -> None:
    """Bring the index from the revision before to this one."""
    before = state_at(revision - 1)
    if not before:
        await index.replace(SCOPE, TALK, messages_of(revision), revision=str(revision))
        return
    after = before[-4 if revision % 7 == 0 else -1].message_id
    assert await index.extend(TALK, messages_of(revision), after=after, revision=str(revision))


async def write_for_ever(path: Path) -> None:
    """Go on from what is known, and say when there is something to be killed for."""
    async with open_sqlite_index(path) as index:
        known = await index.known(TALK)
        revision = int(known.revision) if known else 0
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
        known = await index.known(TALK)
        revision = int(known.revision) if known else 0
        messages = state_at(revision)
        await anew.replace(SCOPE, TALK, messages, revision="anew")

        assert await index.verify() == []
        assert await index.read(SCOPE, memory_snapshot) == await anew.read(SCOPE, memory_snapshot)
        assert (await index.stats()).messages == len(messages)
    return revision
