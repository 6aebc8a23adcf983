"""The real `idol personas`, `idol lorebooks`, `idol characters duplicate` and `explain`, on a folder of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

IDOL = Path(sys.executable).with_name("idol")

type Idol = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def idol(tmp_path: Path) -> Idol:
    """Runs `idol` in a folder where nothing is configured."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "IDOLCHAT_PLUGINS": "characters,storage-local"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(IDOL), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)

    return run


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_personas_are_added_edited_and_deleted(idol: Idol) -> None:
    ana = answer(idol("personas", "add", "Ana", "--json"))
    captain = answer(idol("personas", "add", "Captain", "--description", "Sails.", "--json"))
    answer(idol("personas", "edit", "Ana", "--name", "Anna", "--json"))
    answer(idol("personas", "edit", captain["id"], "--default", "--json"))
    held = answer(idol("personas", "list", "--json"))
    answer(idol("personas", "delete", "Anna", "--yes", "--json"))

    assert [one["name"] for one in held["personas"]] == ["Anna", "Captain"]
    assert (held["personas"][0]["id"], held["default_id"]) == (ana["id"], captain["id"])
    assert [one["name"] for one in answer(idol("personas", "list", "--json"))["personas"]] == ["Captain"]
    assert "no persona 'Anna'" in idol("personas", "delete", "Anna", "--yes").stderr


def test_personas_of_sillytavern_are_imported_once(idol: Idol, tmp_path: Path) -> None:
    backup = {
        "personas": {"1.png": "Ana", "2.png": "Captain"},
        "persona_descriptions": {"2.png": {"description": "Sails.", "position": 0}},
        "default_persona": "2.png",
    }
    (tmp_path / "personas.json").write_text(json.dumps(backup))
    counts = [answer(idol("personas", "import", "personas.json", "--json"))["imported"] for _ in range(2)]
    held = answer(idol("personas", "list", "--json"))

    assert counts == [2, 0]
    assert [(one["name"], one["description"]) for one in held["personas"]] == [("Ana", ""), ("Captain", "Sails.")]
    assert held["default_id"] == held["personas"][1]["id"]


def test_a_fork_has_lorebooks_of_its_own(idol: Idol, tmp_path: Path) -> None:
    source = "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b"
    said = {"id": "1", "role": "user", "content": "Hi", "timestamp": "2026-01-01T00:00:00Z"}
    (tmp_path / "talk.json").write_text(json.dumps({"id": source, "created_at": said["timestamp"], "messages": [said]}))
    (tmp_path / "plot.json").write_text(json.dumps({"entries": {"0": {"uid": 0, "key": ["stage"], "content": "It."}}}))
    answer(idol("conversations", "import", "talk.json", "--json"))
    answer(idol("lorebooks", "import", "plot.json", "--conversation", source, "--json"))
    assert answer(idol("conversations", "fork", source, "--dry-run", "--json"))["id"] is None
    forked = answer(idol("conversations", "fork", source, "--json"))["id"]

    assert [book["conversation_id"] for book in answer(idol("lorebooks", "list", "--json"))] == [source, forked]


def test_lorebooks_are_imported_edited_exported_and_deleted(idol: Idol, tmp_path: Path) -> None:
    book = {"entries": {"0": {"uid": 0, "key": ["stage"], "content": "It.", "mine": 1}}}
    (tmp_path / "town.json").write_text(json.dumps(book))
    (tmp_path / "no.json").write_text("{}")
    done = idol("lorebooks", "import", "town.json", "no.json", "--server", "--json")
    made, refused = json.loads(done.stdout)
    exported = idol("lorebooks", "export", made["id"])
    answer(idol("lorebooks", "edit", made["id"], "--name", "Town", "--off", "--json"))
    (listed,) = answer(idol("lorebooks", "list", "--server", "--json"))
    answer(idol("lorebooks", "delete", made["id"], "--yes", "--json"))

    assert (done.returncode, "entries" in refused["error"]) == (1, True)
    assert json.loads(exported.stdout) == book
    assert (listed["name"], listed["is_enabled"], listed["version"], listed["entry_count"]) == ("Town", False, 2, 1)
    assert answer(idol("lorebooks", "list", "--server", "--json")) == []


def test_a_character_is_copied_and_her_lore_explained(idol: Idol) -> None:
    answer(idol("characters", "import", "--starter", "--json"))
    copy = answer(idol("characters", "duplicate", "lumi", "--set", "nickname=Lu", "--json"))
    told = answer(idol("characters", "explain", "lumi-2", "Sing on the radio!", "--json"))
    shown = idol("characters", "explain", "lumi", "Sing on the radio!")

    assert (copy["character"]["slug"], copy["character"]["nickname"]) == ("lumi-2", "Lu")
    assert {entry["name"] for entry in told["entries"] if entry["reason"] == "key"} >= {"Night Signal", "Songs"}
    assert "Night Signal" in shown.stdout
    assert "The bowling alley" not in shown.stdout
    assert "out: no_match" in idol("characters", "explain", "lumi", "Sing on the radio!", "--all").stdout
    assert idol("characters", "explain", "lumi").returncode == 2
