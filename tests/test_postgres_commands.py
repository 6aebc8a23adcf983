"""Conversations move to PostgreSQL and back, and whoever is erased there is in no table any more."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from idolchat_core.storage import document
from idolchat_core.testing import a_conversation
from idolchat_storage_postgres.testing import PostgresServer, find_binaries, running_postgres
from tests.support.idol import idol, idol_json

CONVERSATIONS = 150


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a data folder with conversations of Ann and Bob, and with a record and a log."""
    folder = tmp_path / "data"
    for number in range(CONVERSATIONS):
        user = ("ann-zq", "bob")[number % 2]
        conversation = a_conversation(f"{user} 말 {number}", "さようなら 🌸", user_id=user, title="kept\0", big=10**30)
        path = folder / "conversations" / conversation.id.hex[-2:] / f"{conversation.id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(document.encode(conversation))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("conversations/??/*.json")}


def dump(server: PostgresServer, name: str) -> bytes:
    """Return all that stands in the tables of a database."""
    command = [str(find_binaries() / "pg_dump"), "--data-only", "--dbname", server.url(name)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_everything_moves_to_postgres_and_back(tmp_path: Path, source: Path, database: PostgresServer) -> None:
    env = {"IDOLCHAT_STORAGE": "local", "IDOLCHAT_POSTGRES_URL": database.make_database("moved")}
    idol_json(tmp_path, "keys", "create", environment=env)
    there = idol_json(tmp_path, "storage", "migrate", "--from", "local", "--to", "postgres", environment=env)
    again = idol_json(tmp_path, "storage", "migrate", "--from", "local", "--to", "postgres", environment=env)
    target = f"local:{tmp_path / 'back'}"
    back = idol_json(tmp_path, "storage", "migrate", "--from", "postgres", "--to", target, environment=env)
    verified = idol_json(tmp_path, "storage", "verify", environment=env | {"IDOLCHAT_STORAGE": "postgres"})

    assert [done["verified"] for done in (there, again, back)] == [CONVERSATIONS] * 3
    assert [done["failures"] for done in (there, again, back)] == [[], [], []]
    assert (again["copied"], there["records"]) == (0, back["records"])
    assert (verified["conversations"], verified["flawed"]) == (CONVERSATIONS, [])
    assert contents(tmp_path / "back") == contents(source)


def test_a_user_who_is_erased_is_in_no_table_any_more(tmp_path: Path, source: Path, database: PostgresServer) -> None:
    env = {"IDOLCHAT_STORAGE": "local", "IDOLCHAT_POSTGRES_URL": database.make_database("erased")}
    idol_json(tmp_path, "storage", "migrate", "--from", "local", "--to", "postgres", environment=env)
    env["IDOLCHAT_STORAGE"] = "postgres"
    before = dump(database, "erased")
    found = idol_json(tmp_path, "conversations", "search", "ann", environment=env)
    erased = idol(tmp_path, "users", "erase", "ann-zq", "--yes", environment=env)
    after = dump(database, "erased")

    assert found["data"]
    assert erased.returncode == 0, erased.stderr
    assert b"ann-zq" in before
    assert b"ann-zq" not in after
    assert after.count(b"bob ") == CONVERSATIONS // 2


def test_what_is_wrong_with_the_address_is_told_in_one_line(tmp_path: Path) -> None:
    env = {"IDOLCHAT_STORAGE": "postgres", "IDOLCHAT_POSTGRES_URL": "postgresql://u:zq-secret@127.0.0.1:1/x"}
    told = idol(tmp_path, "conversations", "list", environment=env)

    assert told.returncode == 1
    assert "x at 127.0.0.1:1 cannot be reached" in told.stderr
    assert "zq-secret" not in told.stderr + told.stdout
    assert len(told.stderr.splitlines()) == 1


def test_the_schema_is_upgraded_by_a_command(tmp_path: Path, database: PostgresServer) -> None:
    env = {"IDOLCHAT_STORAGE": "postgres", "IDOLCHAT_POSTGRES_URL": database.make_database("upgraded")}
    would = idol_json(tmp_path, "storage", "upgrade", "--dry-run", environment=env)
    did = idol_json(tmp_path, "storage", "upgrade", environment=env)
    again = idol(tmp_path, "storage", "upgrade", environment=env)

    assert would["storages"] == did["storages"] == [{"storage": "postgres", "steps": ["version 1 of the schema"]}]
    assert again.stdout == "postgres is as this version needs it\n"
