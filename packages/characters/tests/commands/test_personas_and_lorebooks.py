"""The real `idol personas`, `idol lorebooks`, `idol characters duplicate` and `explain`, on a folder of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from commands.conftest import Idol


def test_personas_are_added_edited_and_deleted(idol: Idol) -> None:
    ana = idol.answer("personas", "add", "Ana")
    captain = idol.answer("personas", "add", "Captain", "--description", "Sails.")
    idol.answer("personas", "edit", "Ana", "--name", "Anna")
    idol.answer("personas", "edit", captain["id"], "--default")
    held = idol.answer("personas", "list")
    idol.answer("personas", "delete", "Anna", "--yes")

    assert [one["name"] for one in held["personas"]] == ["Anna", "Captain"]
    assert (held["personas"][0]["id"], held["default_id"]) == (ana["id"], captain["id"])
    assert [one["name"] for one in idol.answer("personas", "list")["personas"]] == ["Captain"]
    assert "no persona 'Anna'" in idol("personas", "delete", "Anna", "--yes").stderr


def test_personas_of_sillytavern_are_imported_once(idol: Idol, tmp_path: Path) -> None:
    backup = {
        "personas": {"1.png": "Ana", "2.png": "Captain"},
        "persona_descriptions": {"2.png": {"description": "Sails.", "position": 0}},
        "default_persona": "2.png",
    }
    (tmp_path / "personas.json").write_text(json.dumps(backup))
    counts = [idol.answer("personas", "import", "personas.json")["imported"] for _ in range(2)]
    held = idol.answer("personas", "list")

    assert counts == [2, 0]
    assert [(one["name"], one["description"]) for one in held["personas"]] == [("Ana", ""), ("Captain", "Sails.")]
    assert held["default_id"] == held["personas"][1]["id"]


def test_a_fork_has_lorebooks_of_its_own(idol: Idol, tmp_path: Path) -> None:
    source = "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b"
    said = {"id": "1", "role": "user", "content": "Hi", "timestamp": "2026-01-01T00:00:00Z"}
    (tmp_path / "talk.json").write_text(json.dumps({"id": source, "created_at": said["timestamp"], "messages": [said]}))
    (tmp_path / "plot.json").write_text(json.dumps({"entries": {"0": {"uid": 0, "key": ["stage"], "content": "It."}}}))
    idol.answer("conversations", "import", "talk.json")
    idol.answer("lorebooks", "import", "plot.json", "--conversation", source)
    assert idol.answer("conversations", "fork", source, "--dry-run")["id"] is None
    forked = idol.answer("conversations", "fork", source)["id"]

    assert [book["conversation_id"] for book in idol.answer("lorebooks", "list")] == [source, forked]


def test_lorebooks_are_imported_edited_exported_and_deleted(idol: Idol, tmp_path: Path) -> None:
    book = {"entries": {"0": {"uid": 0, "key": ["stage"], "content": "It.", "mine": 1}}}
    (tmp_path / "town.json").write_text(json.dumps(book))
    (tmp_path / "no.json").write_text("{}")
    done = idol("lorebooks", "import", "town.json", "no.json", "--server", "--json")
    made, refused = json.loads(done.stdout)
    exported = idol("lorebooks", "export", made["id"])
    idol.answer("lorebooks", "edit", made["id"], "--name", "Town", "--off")
    (listed,) = idol.answer("lorebooks", "list", "--server")
    idol.answer("lorebooks", "delete", made["id"], "--yes")

    assert (done.returncode, "entries" in refused["error"]) == (1, True)
    assert json.loads(exported.stdout) == book
    assert (listed["name"], listed["is_enabled"], listed["version"], listed["entry_count"]) == ("Town", False, 2, 1)
    assert idol.answer("lorebooks", "list", "--server") == []


def test_a_lorebook_goes_through_pipes(idol: Idol) -> None:
    book = json.dumps({"entries": {"0": {"uid": 0, "key": ["stage"], "content": "It."}}})
    made = idol.shell(f"echo '{book}' | idol lorebooks import - --server").split()[0]
    idol.shell(f"idol lorebooks export {made} -o - | idol lorebooks edit {made} --file -")

    assert idol.answer("lorebooks", "list", "--server")[0]["version"] == 2


def test_a_character_is_copied_and_her_lore_explained(idol: Idol) -> None:
    idol.answer("characters", "import", "--starter")
    copy = idol.answer("characters", "duplicate", "lumi", "--set", "nickname=Lu")
    told = idol.answer("characters", "explain", "lumi-2", "Sing on the radio!")
    shown = idol("characters", "explain", "lumi", "Sing on the radio!")

    assert (copy["character"]["slug"], copy["character"]["nickname"]) == ("lumi-2", "Lu")
    assert {entry["name"] for entry in told["entries"] if entry["reason"] == "key"} >= {"Night Signal", "Songs"}
    assert "Night Signal" in shown.stdout
    assert "The bowling alley" not in shown.stdout
    assert "out: no_match" in idol("characters", "explain", "lumi", "Sing on the radio!", "--all").stdout
    assert idol("characters", "explain", "lumi").returncode == 2
