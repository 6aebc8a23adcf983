"""The storage is moved whole through any number of crashes, and looked after beside a server at work."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_core import Conversation, Message
from idolchat_core.models import new_id, utc_now
from idolchat_core.storage import document
from tests.support.idol import idol, idol_json, idol_process, install_example
from tests.support.server import Server
from tests.support.talk import say

KILLS = 10
CONVERSATIONS = 1500


def a_conversation(number: int) -> Conversation:
    now = utc_now()
    messages = tuple(
        Message(id=new_id(), role=role, content=f"{role} 말 {number}.{turn} " * 5, timestamp=now)
        for turn in range(3)
        for role in ("user", "assistant")
    )
    return Conversation(id=new_id(), created_at=now, user_id=f"user{number % 7}", messages=messages, updated_at=now)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a data folder with many conversations."""
    folder = tmp_path / "data"
    for number in range(CONVERSATIONS):
        conversation = a_conversation(number)
        path = folder / "conversations" / conversation.id.hex[-2:] / f"{conversation.id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(document.encode(conversation))
    return folder


def files(folder: Path) -> Iterator[Path]:
    return folder.glob("conversations/??/*-*.json")


def contents(folder: Path) -> dict[UUID, bytes]:
    return {UUID(path.stem): path.read_bytes() for path in files(folder)}


@pytest.mark.files("migrates files; test_postgres_commands.py migrates to a database")
def test_a_migration_killed_ten_times_ends_complete_and_exact(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "new"
    for kill in range(KILLS):
        goal = CONVERSATIONS * kill // (2 * KILLS) + 1  # far from the end, which it must not reach meanwhile
        with idol_process(tmp_path, "storage", "migrate", "--to", f"local:{target}") as process:
            while process.poll() is None and sum(1 for _ in files(target)) < goal:
                time.sleep(0.002)
            assert process.poll() is None, "it was over before it was killed"
            process.kill()
    done = idol_json(tmp_path, "storage", "migrate", "--to", f"local:{target}")
    again = idol_json(tmp_path, "storage", "migrate", "--to", f"local:{target}")
    verified = idol_json(tmp_path, "storage", "verify", environment={"IDOLCHAT_DATA_DIR": str(target)})

    assert contents(target) == contents(source)
    assert (done["conversations"], done["verified"], done["failures"]) == (CONVERSATIONS, CONVERSATIONS, [])
    assert 0 < done["copied"] < CONVERSATIONS
    assert (again["copied"], again["verified"]) == (0, CONVERSATIONS)
    assert (verified["conversations"], verified["flawed"]) == (CONVERSATIONS, [])


@pytest.mark.files("migrates files to an example of a storage")
def test_another_kind_of_storage_takes_everything_and_gives_it_back(tmp_path: Path, source: Path) -> None:
    keep = sorted(files(source))[:40]
    for path in set(files(source)) - set(keep):
        path.unlink()
    env = {"PYTHONPATH": install_example(tmp_path, "storage-sqlite")}
    there = idol_json(tmp_path, "storage", "migrate", "--to", "sqlite", environment=env)
    back = idol_json(
        tmp_path, "storage", "migrate", "--from", "sqlite", "--to", f"local:{tmp_path / 'back'}", environment=env
    )

    assert (there["verified"], back["verified"]) == (40, 40)
    assert contents(tmp_path / "back") == contents(source)


@pytest.mark.files("mends files")
def test_what_is_damaged_is_told_and_not_copied(tmp_path: Path, source: Path) -> None:
    first, *rest = sorted(files(source))
    for path in rest[5:]:
        path.unlink()
    os.truncate(first, first.stat().st_size // 2)
    first.write_bytes(first.read_bytes() + b"\nnot JSON at all\n" + first.read_bytes())
    done = idol_json(tmp_path, "storage", "migrate", "--to", f"local:{tmp_path / 'new'}", status=1)
    repaired = idol_json(tmp_path, "storage", "repair")
    again = idol_json(tmp_path, "storage", "migrate", "--to", f"local:{tmp_path / 'new'}")

    assert [failure["code"] for failure in done["failures"]] == ["conversation_damaged"]
    assert first.stem in done["failures"][0]["what"]
    assert len(repaired["repaired"]) == 1
    assert (source / repaired["repaired"][0]["kept_as"]).exists()
    assert (again["verified"], again["failures"]) == (6, [])


async def test_beside_a_server_at_work_nothing_seems_wrong(server: Server) -> None:
    begun = [(await say("rest", server, f"Hello {number}")).conversation_id for number in range(6)]
    is_over = asyncio.Event()

    async def talk(conversation_id: str) -> None:
        while not is_over.is_set():
            await say("rest", server, "Go on", conversation_id=conversation_id)

    talking = [asyncio.create_task(talk(conversation_id)) for conversation_id in begun]
    verified = await asyncio.to_thread(idol_json, server.folder, "storage", "verify")
    repaired = await asyncio.to_thread(idol_json, server.folder, "storage", "repair", "--dry-run")
    exported = await asyncio.to_thread(idol, server.folder, "conversations", "export", "-o", "all.jsonl", "--json")
    is_over.set()
    await asyncio.gather(*talking)

    assert [verified["flawed"], repaired["repaired"], repaired["unmended"]] == [[], [], []]
    assert verified["conversations"] >= len(begun)
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["damaged"] == []
    assert idol_json(server.folder, "storage", "verify")["flawed"] == []
