import io
import json
import stat
import zipfile
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest

from idolchat_characters import CardRefused
from idolchat_characters.cards import CardLimits, read_card, write_card

type MakeZip = Callable[[Mapping[str, bytes]], bytes]
type MakeJson = Callable[..., bytes]
type MakePng = Callable[..., bytes]

randbytes = Random(0).randbytes


def asset(uri: str, **fields: Any) -> dict[str, Any]:
    return {"type": "emotion", "uri": uri, "name": "happy", "ext": "png"} | fields


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/passwd", "C:\\evil", "\\\\host\\evil", "..\\evil"])
def test_an_entry_that_leads_out_is_refused(name: str, make_zip: MakeZip, make_json: MakeJson) -> None:
    with pytest.raises(CardRefused, match="leads out of the archive") as refusal:
        read_card(make_zip({"card.json": make_json(), name: b"x"}))

    assert refusal.value.param == f"entry {name!r}"


@pytest.mark.parametrize("name", ["a\nb", "x" * 256, "."])
def test_an_entry_without_a_proper_path_is_refused(name: str, make_zip: MakeZip, make_json: MakeJson) -> None:
    with pytest.raises(CardRefused, match="is no path"):
        read_card(make_zip({"card.json": make_json(), name: b"x"}))


def test_a_link_is_refused(make_json: MakeJson) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("card.json", make_json())
        link = zipfile.ZipInfo("assets/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")

    with pytest.raises(CardRefused, match="is a link"):
        read_card(written.getvalue())


def test_an_encrypted_entry_is_refused(make_zip: MakeZip, make_json: MakeJson) -> None:
    content = bytearray(make_zip({"card.json": make_json()}))
    content[content.index(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(CardRefused, match="without a password"):
        read_card(bytes(content))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packing_than_deflate_is_refused(method: int, make_json: MakeJson) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as archive:
        archive.writestr("card.json", make_json())

    with pytest.raises(CardRefused, match="another method than deflate"):
        read_card(written.getvalue())


def test_a_card_in_a_folder_is_pointed_at(make_zip: MakeZip, make_json: MakeJson) -> None:
    with pytest.raises(CardRefused, match=r"there is aoi/card\.json"):
        read_card(make_zip({"aoi/card.json": make_json()}))


def test_an_archive_behind_another_file_is_read(make_zip: MakeZip, make_json: MakeJson) -> None:
    reading = read_card(b"\xff\xd8\xff\xe0 a picture" + make_zip({"card.json": make_json()}))

    assert reading.format == "charx"
    assert "other bytes before" in reading.warnings[0].message


def test_paths_are_normalised_on_both_sides(make_zip: MakeZip, make_json: MakeJson, make_png: MakePng) -> None:
    card = make_json(assets=[asset("embedded://assets//./happy.png")])

    (found,) = read_card(make_zip({"card.json": card, "assets\\happy.png": make_png()})).assets

    assert found.content == make_png()


def test_a_damaged_asset_is_left_out_and_a_damaged_card_refused(make_zip: MakeZip, make_json: MakeJson) -> None:
    content = make_zip({"card.json": make_json(), "a.bin": b"stays", "b.bin": b"spoilt"})
    at = content.index(b"b.bin") + len(b"b.bin")
    spoilt = content[:at] + b"\xff\xff" + content[at + 2 :]

    reading = read_card(spoilt)

    assert reading.files == {"a.bin": b"stays"}
    assert [problem.place for problem in reading.warnings if "damaged" in problem.message] == ["entry b.bin"]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (CardLimits(archive_entries=2), "more than 2 entries"),
        (CardLimits(archive_bytes=3_000_000), "more than 3,000,000 bytes"),
        (CardLimits(json_bytes=20), "at most 20 are read"),
    ],
)
def test_each_limit_is_said(limits: CardLimits, message: str, make_zip: MakeZip, make_json: MakeJson) -> None:
    content = make_zip({"card.json": make_json(), "a": randbytes(2_000_000), "b": randbytes(1_500_000)})

    with pytest.raises(CardRefused, match=message):
        read_card(content, limits=limits)


def test_what_is_packed_too_well_is_refused(make_zip: MakeZip, make_json: MakeJson) -> None:
    with pytest.raises(CardRefused, match="entry b: unpacks to more than 200 times its size"):
        read_card(make_zip({"card.json": make_json(), "a": bytes(1_000_000), "b": bytes(1_500_000)}))


def test_files_that_no_asset_names_survive_an_edit(make_zip: MakeZip, make_json: MakeJson) -> None:
    original = make_zip({"card.json": make_json(), "module.risum": b"\0\1", "assets/other/x.bin": b"x"})
    edited = read_card(original).character.model_copy(update={"name": "Mika"})

    content = write_card(edited, "charx", original=original)

    assert read_card(content).files == {"module.risum": b"\0\1", "assets/other/x.bin": b"x"}


@pytest.mark.parametrize("card_format", ["json", "png"])
def test_files_of_an_archive_survive_in_other_formats(
    card_format: Any, make_zip: MakeZip, make_json: MakeJson, make_png: MakePng
) -> None:
    card = make_json(assets=[asset("embeded://assets/happy.png")])
    original = make_zip({"card.json": card, "assets/happy.png": make_png(), "module.risum": b"\0\1"})
    character = read_card(original).character

    assets = read_card(write_card(character, card_format, original=original)).assets

    assert [(one.type, one.name, one.content) for one in assets] == [
        ("emotion", "happy", make_png()),
        ("x_idolchat_file", "module.risum", b"\0\1"),
    ]


def test_the_image_of_a_png_is_the_main_icon_of_the_archive(
    make_png: MakePng, make_card: Callable[..., dict[str, Any]], card_chunk: Callable[..., tuple[bytes, bytes]]
) -> None:
    original = make_png(card_chunk("chara", make_card()))

    content = write_card(read_card(original).character, "charx", original=original)

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (icon,) = json.loads(archive.read("card.json"))["data"]["assets"]
        assert icon == {"type": "icon", "uri": "embeded://assets/icon/images/main.png", "name": "main", "ext": "png"}
        assert archive.read("assets/icon/images/main.png") == make_png()


def test_the_same_card_gives_the_same_archive(make_json: MakeJson) -> None:
    character = read_card(make_json()).character

    assert write_card(character, "charx") == write_card(character, "charx")


def test_new_files_join_those_of_the_original(make_zip: MakeZip, make_json: MakeJson) -> None:
    original = make_zip({"card.json": make_json(), "a": b"old", "b": b"old"})

    content = write_card(read_card(original).character, "charx", original=original, files={"b": b"new", "c": b"new"})

    assert read_card(content).files == {"a": b"old", "b": b"new", "c": b"new"}


@pytest.mark.parametrize(("path", "message"), [("../x", "leads out"), ("card.json", "another path")])
def test_new_files_have_proper_paths(path: str, message: str, make_json: MakeJson) -> None:
    character = read_card(make_json()).character

    with pytest.raises(CardRefused, match=message):
        write_card(character, "charx", files={path: b"x"})


def test_what_would_be_too_large_to_read_is_not_written(make_json: MakeJson) -> None:
    character = read_card(make_json()).character
    picture = bytes(range(256)) * 40

    with pytest.raises(CardRefused, match="write charx"):
        write_card(character, "json", files={"a": picture}, limits=CardLimits(json_bytes=5_000))
    with pytest.raises(CardRefused, match="leave assets out"):
        write_card(character, "charx", files={"a": picture}, limits=CardLimits(file_bytes=500))


def test_large_files_are_stored_so_that_they_can_be_read_again(make_json: MakeJson) -> None:
    large = {"zeros.bin": bytes(3_000_000)}

    assert read_card(write_card(read_card(make_json()).character, "charx", files=large)).files == large
