"""The real `idol characters`, on a folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

IDOL = Path(sys.executable).with_name("idol")
CARDS = Path(__file__).parents[1] / "cards"

type Idol = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def idol(tmp_path: Path) -> Idol:
    """Runs `idol characters` in a folder where nothing is configured."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "IDOLCHAT_PLUGINS": "characters,storage-local"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(IDOL), "characters", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)

    return run


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_card_is_imported_and_exported_byte_for_byte(idol: Idol, tmp_path: Path) -> None:
    card = CARDS / "31_v3_both.png"
    (imported,) = answer(idol("import", str(card), "--json"))
    (exported,) = answer(idol("export", imported["slug"], "--json"))

    assert (tmp_path / exported["file"]).read_bytes() == card.read_bytes()


def test_many_cards_are_imported_and_the_refused_ones_are_named(idol: Idol) -> None:
    done = idol("import", str(CARDS), "--json")
    refused = {Path(one["file"]).name for one in json.loads(done.stdout) if one["error"]}

    assert done.returncode == 1
    assert refused >= {"12_name_empty.json", "52_no_card.charx"}
    assert len(answer(idol("list", "-n", "100", "--json"))["data"]) == len(list(CARDS.iterdir())) - len(refused)


def test_fields_are_edited_as_text_and_as_json(idol: Idol) -> None:
    answer(idol("import", str(CARDS / "03_v3.json"), "--json"))
    edited = answer(idol("edit", "aoi", "--set", "nickname=Ao", "--set", 'tags=["new"]', "--json"))

    assert (edited["version"], edited["character"]["nickname"], edited["character"]["tags"]) == (2, "Ao", ["new"])
    assert idol("edit", "aoi", "--set", "tags=new").returncode == 2
    assert "nmae: is no field" in idol("edit", "aoi", "--set", "nmae=x").stderr


def test_a_deleted_character_is_no_more(idol: Idol) -> None:
    answer(idol("import", str(CARDS / "03_v3.json"), "--json"))
    answer(idol("delete", "aoi", "--yes", "--json"))

    assert "no character aoi" in idol("show", "aoi").stderr


def test_a_private_character_needs_an_owner(idol: Idol) -> None:
    done = idol("import", str(CARDS / "03_v3.json"), "--visibility", "private")

    assert (done.returncode, "--owner" in done.stderr) == (2, True)


def test_cards_are_checked_without_being_imported(idol: Idol) -> None:
    good, bad = (idol("validate", str(CARDS / name)) for name in ("03_v3.json", "12_name_empty.json"))

    assert (good.returncode, bad.returncode) == (0, 1)
    assert "error: data.name" in bad.stdout
    assert answer(idol("list", "--json"))["data"] == []
