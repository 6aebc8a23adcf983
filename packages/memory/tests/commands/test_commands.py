"""The real `idol memory`, on a folder of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

IDOL = Path(sys.executable).with_name("idol")
USER, CHARACTER = "5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e", "11111111-1111-4111-8111-111111111111"
WHEN = "2026-03-01T09:00:00Z"

type Idol = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def idol(tmp_path: Path) -> Idol:
    """Runs `idol` in a folder where nothing is configured."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "IDOLCHAT_PLUGINS": "memory,storage-local",
        "IDOLCHAT_MEMORY_SEMANTIC": "off",
    }

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        command, env_now = [str(IDOL), *arguments], env | settings
        return subprocess.run(
            command, cwd=tmp_path, env=env_now, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def conversation(idol: Idol, tmp_path: Path) -> str:
    """A conversation that is stored, and not indexed: no server ran."""
    made = {
        "id": str(uuid4()),
        "user_id": USER,
        "character_id": CHARACTER,
        "created_at": WHEN,
        "updated_at": WHEN,
        "messages": [{"id": str(uuid4()), "role": "user", "content": "My dog is called Biscuit", "timestamp": WHEN}],
    }
    path = tmp_path / "made.json"
    path.write_text(json.dumps(made))
    assert idol("conversations", "import", str(path)).returncode == 0
    return str(made["id"])


def test_the_index_is_built_compared_and_searched(idol: Idol, conversation: str) -> None:
    before = idol("memory", "verify", "--json")
    assert (before.returncode, json.loads(before.stdout)["differing"]) == (1, [conversation])

    assert answer(idol("memory", "rebuild", "--json")) == {"conversations": 1, "messages": 1}

    assert answer(idol("memory", "verify", "--json")) == {"conversations": 1, "problems": [], "differing": []}
    found = answer(idol("memory", "search", "my dog", "--user", USER, "--character", CHARACTER, "--json"))
    assert [one["text"] for one in found["data"]] == ["My dog is called Biscuit"]
    assert "2026-03-01 09:00" in idol("memory", "search", "my dog", "--user", USER, "--character", CHARACTER).stdout
    assert answer(idol("memory", "search", "my dog", "--user", USER, "--json"))["data"] == []
    assert "Nothing is found.\n" in idol("memory", "search", "my dog", "--user", USER).stderr
    assert "name one with --user" in " ".join(idol("memory", "search", "my dog").stderr.split())
    stats = answer(idol("memory", "stats", "--json"))
    assert (stats["scopes"], stats["messages"], stats["lexical_reason"]) == (1, 1, "IDOLCHAT_MEMORY_SEMANTIC is off")


def test_an_index_that_holds_something_else_is_named_and_mended(idol: Idol, conversation: str, tmp_path: Path) -> None:
    answer(idol("memory", "rebuild", "--json"))
    with closing(sqlite3.connect(tmp_path / "data" / "memory" / "index.sqlite")) as file, file:
        file.execute("UPDATE messages SET text = 'My dog is called Crumb'")

    assert idol("memory", "verify").returncode == 1
    assert idol("memory", "rebuild").stdout == "Indexed 1 conversation, 1 message\n"
    assert idol("memory", "verify").returncode == 0


def test_a_user_s_index_is_exported_and_erased_with_the_rest(idol: Idol, conversation: str, tmp_path: Path) -> None:
    answer(idol("memory", "rebuild", "--json"))

    receipt = answer(idol("users", "erase", USER, "--yes", "--json"))

    assert {one["plugin"]: one["count"] for one in receipt["plugins"]}["memory"] == 1
    assert answer(idol("memory", "stats", "--json"))["messages"] == 0
    left = b"".join(path.read_bytes() for path in (tmp_path / "data" / "memory").iterdir())
    assert b"Biscuit" not in left


def test_what_a_command_deletes_is_found_no_more_though_no_server_runs(idol: Idol, conversation: str) -> None:
    answer(idol("memory", "rebuild", "--json"))

    assert idol("conversations", "delete", conversation, "--yes").returncode == 0

    ask = ("memory", "search", "my dog", "--user", USER, "--character", CHARACTER, "--all", "--json")
    assert answer(idol(*ask))["data"] == []


def test_doctor_says_how_memory_finds(idol: Idol) -> None:
    checks = {one["check"]: one for one in json.loads(idol("doctor", "--json").stdout)["checks"]}

    assert checks["memory"]["message"] == "recalls by words alone: IDOLCHAT_MEMORY_SEMANTIC is off"


def test_doctor_fails_where_the_model_that_is_named_cannot_be_used(idol: Idol) -> None:
    wrong = {"IDOLCHAT_MEMORY_SEMANTIC": "auto", "IDOLCHAT_MEMORY_MODEL": "/nowhere/model.onnx"}
    checked = idol("doctor", "--json", **wrong)
    [memory] = [one for one in json.loads(checked.stdout)["checks"] if one["check"] == "memory"]

    assert (checked.returncode, memory["status"]) == (1, "fail")
    assert "IDOLCHAT_MEMORY_MODEL" in memory["message"]
    assert "memory" not in checked.stderr


def test_settings_are_shown(idol: Idol) -> None:
    shown = {one["variable"]: one for one in answer(idol("config", "show", "--json"))}

    assert shown["IDOLCHAT_MEMORY_BUDGET_TOKENS"]["value"] == 1000
    assert shown["IDOLCHAT_MEMORY_SEMANTIC"]["source"] == "environment"


def test_notes_are_kept_changed_and_deleted_at_the_machine(idol: Idol) -> None:
    whose = ("--user", USER)
    made = answer(idol("memory", "notes", "add", "Eats no meat", "--pin", *whose, "--json"))
    edited = answer(idol("memory", "notes", "edit", made["id"], "Eats fish again", *whose, "--json"))
    listed = answer(idol("memory", "notes", "list", *whose, "--json"))["data"]
    everything = answer(idol("memory", "notes", "list", *whose, "--all", "--json"))["data"]
    shown = idol("memory", "notes", "list", *whose).stdout

    assert [(one["id"], one["text"], one["pinned"]) for one in listed] == [(edited["id"], "Eats fish again", True)]
    assert [one["superseded_by"] for one in everything] == [None, edited["id"]]
    assert "Eats fish again" in shown
    assert answer(idol("memory", "notes", "delete", edited["id"], *whose, "--yes", "--json")) == {"deleted": 2}
    assert answer(idol("memory", "notes", "list", *whose, "--all", "--json"))["data"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", " "),
        ("add", "x", "--character", "mika"),
        ("add", "x" * 1001),
        ("edit", str(uuid4())),
        ("delete", str(uuid4()), "--yes"),
    ],
    ids=["nothing", "a slug", "too much", "no change", "unknown"],
)
def test_what_cannot_be_done_to_notes_is_said(idol: Idol, arguments: tuple[str, ...]) -> None:
    done = idol("memory", "notes", *arguments, "--user", USER)

    assert done.returncode != 0
    assert done.stderr.strip()


def test_notes_are_exported_and_erased_with_the_rest(idol: Idol, tmp_path: Path) -> None:
    other = str(uuid4())
    for user in (USER, other):
        answer(idol("memory", "notes", "add", "Eats no meat", "--user", user, "--json"))
    archive = answer(idol("users", "export", USER, "--output", "export.zip", "--json"))
    with zipfile.ZipFile(tmp_path / "export.zip") as exported:
        held = b"".join(exported.read(name) for name in exported.namelist())
    receipt = answer(idol("users", "erase", USER, "--yes", "--json"))

    assert archive
    assert b"Eats no meat" in held
    assert other.encode() not in held
    assert ("notes", f"{USER}.everyone") in {(one["namespace"], one["name"]) for one in receipt["records"]}
    assert answer(idol("memory", "notes", "list", "--user", USER, "--json"))["data"] == []
    assert len(answer(idol("memory", "notes", "list", "--user", other, "--json"))["data"]) == 1
