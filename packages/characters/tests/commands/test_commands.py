"""The real `idol characters`, on a folder of its own."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from commands.conftest import Idol

CARDS = Path(__file__).parents[1] / "cards"


def test_a_card_is_imported_and_exported_byte_for_byte(idol: Idol, tmp_path: Path) -> None:
    card = CARDS / "31_v3_both.png"
    (imported,) = idol.answer("characters", "import", str(card))
    (exported,) = idol.answer("characters", "export", imported["slug"])

    assert (tmp_path / exported["file"]).read_bytes() == card.read_bytes()


def test_a_dash_is_standard_input_and_output(idol: Idol, tmp_path: Path) -> None:
    card = CARDS / "31_v3_both.png"
    slug = idol.shell(f"cat {card} | idol characters import -").split()[-1]
    idol.shell(f"echo '{{}}' | idol characters edit {slug} --file extensions=-")
    idol.shell(f"idol characters export {slug} --format charx -o - | idol characters validate -")

    assert not (tmp_path / "-").exists()
    assert "--json tells" in idol("characters", "export", slug, "-o", "-", "--json").stderr


def test_many_cards_are_imported_and_the_refused_ones_are_named(idol: Idol) -> None:
    done = idol("characters", "import", str(CARDS), "--json")
    refused = {Path(one["file"]).name for one in json.loads(done.stdout) if one["error"]}

    assert done.returncode == 1
    assert refused >= {"12_name_empty.json", "52_no_card.charx"}
    assert len(idol.answer("characters", "list", "-n", "100")["data"]) == len(list(CARDS.iterdir())) - len(refused)


def test_fields_are_edited_as_text_and_as_json(idol: Idol) -> None:
    idol.answer("characters", "import", str(CARDS / "03_v3.json"))
    edited = idol.answer("characters", "edit", "aoi", "--set", "nickname=Ao", "--set", 'tags=["new"]')

    assert (edited["version"], edited["character"]["nickname"], edited["character"]["tags"]) == (2, "Ao", ["new"])
    assert idol("characters", "edit", "aoi", "--set", "tags=new").returncode == 2
    assert "nmae: is no field" in idol("characters", "edit", "aoi", "--set", "nmae=x").stderr


def test_a_deleted_character_is_no_more(idol: Idol) -> None:
    idol.answer("characters", "import", str(CARDS / "03_v3.json"))
    idol.answer("characters", "delete", "aoi", "--yes")

    assert "no character aoi" in idol("characters", "show", "aoi").stderr


def test_a_character_whose_record_cannot_be_read_is_deleted_by_her_id(idol: Idol, tmp_path: Path) -> None:
    made = idol.answer("characters", "import", str(CARDS / "03_v3.json"))[0]["id"]
    record = next((tmp_path / "data").rglob(f"characters/{made}*"))
    record.write_bytes(b"{}\n%08x\n" % zlib.crc32(b"{}"))

    shown, deleted = idol("characters", "show", made), idol("characters", "delete", made, "--yes")

    assert f"the record characters/{made} cannot be read" in shown.stderr
    assert deleted.returncode == 0, deleted.stderr
    assert not record.exists()


def test_a_private_character_needs_an_owner(idol: Idol) -> None:
    done = idol("characters", "import", str(CARDS / "03_v3.json"), "--visibility", "private")

    assert (done.returncode, "--owner" in done.stderr) == (2, True)


def test_cards_are_checked_without_being_imported(idol: Idol) -> None:
    good, bad = (idol("characters", "validate", str(CARDS / name)) for name in ("03_v3.json", "12_name_empty.json"))

    assert (good.returncode, bad.returncode) == (0, 1)
    assert "error: data.name" in bad.stdout
    assert idol.answer("characters", "list")["data"] == []
