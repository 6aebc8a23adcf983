"""Each file of the folder ``cards``: accepted, with which warnings, or refused, at which place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from idolchat_characters import CardRefused
from idolchat_characters.cards import read_card, validate, write_card

type ReadSample = Callable[[str], bytes]

REMOTE = ("data.assets.2.uri", "never fetched")

ACCEPTED: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "01_v1.json": ("json", "v1", []),
    "02_v2.json": ("json", "v2", []),
    "03_v3.json": ("json", "v3", []),
    "04_bom.json": ("json", "v2", [("file", "byte order mark")]),
    "05_null_book.json": ("json", "v2", []),
    "06_greetings_string.json": ("json", "v2", [("data.alternate_greetings", "a list of one")]),
    "07_null_fields.json": (
        "json",
        "v2",
        [(f"data.{name}", "is null") for name in ("personality", "scenario", "mes_example", "system_prompt")],
    ),
    "08_no_extensions.json": ("json", "v2", [("data", "lacks extensions")]),
    "09_version_number.json": ("json", "v2", [("spec_version", "must be a text")]),
    "10_version_99.json": ("json", "v3", [("spec_version", "newer")]),
    "11_no_spec.json": ("json", "v2", [("spec", "missing")]),
    "13_book_missing_ext.json": ("json", "v2", []),
    "14_book_keys_string.json": ("json", "v2", [("data.character_book.entries.0.keys", "instead of a list")]),
    "15_book_entries_object.json": ("json", "v2", [("data.character_book.entries", "an object")]),
    "16_emoji_cjk.json": ("json", "v2", []),
    "17_lone_surrogate.json": ("json", "v2", [("data.description", "U+FFFD")]),
    "20_depth_empty_string.json": ("json", "v2", [("data.extensions.depth_prompt.depth", "no whole number")]),
    "21_name_traversal.json": ("json", "v2", []),
    "22_root_differs_from_data.json": ("json", "v2", [("name", "differs from data.name")]),
    "30_v2.png": ("png", "v2", []),
    "31_v3_both.png": ("png", "v3", []),
    "32_ccv3_only.png": ("png", "v3", []),
    "33_upper_keyword.png": ("png", "v2", []),
    "35_ztxt.png": ("png", "v2", [("chunk chara", "zTXt")]),
    "36_itxt.png": ("png", "v2", [("chunk chara", "iTXt")]),
    "40_trailing_garbage.png": ("png", "v2", [("file", "7 bytes after the end")]),
    "50.charx": ("charx", "v3", [REMOTE]),
    "51_sfx.charx": (
        "charx",
        "v3",
        [("file", "other bytes before"), ("data.assets.1.uri", "no file that the card holds"), REMOTE],
    ),
    "54_v2_in_charx.charx": ("charx", "v2", []),
}

REFUSED = {
    "12_name_empty.json": ("data.name", "write the character's name"),
    "18_trailing_comma.json": ("file", "a comma too many at line 1"),
    "19_nan.json": ("x", "NaN"),
    "39_no_chunk.png": ("file", "no text chunk chara or ccv3"),
    "52_no_card.charx": ("card.json", "missing"),
}


def test_every_sample_has_its_verdict() -> None:
    names = {path.name for path in (Path(__file__).parent / "cards").iterdir()}

    assert names == ACCEPTED.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_sample_is_accepted_with_its_warnings(name: str, read_sample: ReadSample) -> None:
    card_format, version, warnings = ACCEPTED[name]

    reading = read_card(read_sample(name))

    assert (reading.format, reading.version) == (card_format, version)
    assert [problem.place for problem in reading.warnings] == [place for place, _ in warnings]
    assert all(text in problem.message for problem, (_, text) in zip(reading.warnings, warnings, strict=True))


@pytest.mark.parametrize("name", REFUSED)
def test_a_sample_is_refused_by_its_place(name: str, read_sample: ReadSample) -> None:
    place, message = REFUSED[name]

    with pytest.raises(CardRefused, match=message) as refusal:
        read_card(read_sample(name))

    assert refusal.value.param == place


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_unedited_sample_is_written_byte_for_byte(name: str, read_sample: ReadSample) -> None:
    original = read_sample(name)
    reading = read_card(original)

    assert write_card(reading.character, reading.format, original=original) == original


@pytest.mark.parametrize("name", [*ACCEPTED, *REFUSED])
def test_the_report_of_a_sample_agrees_with_its_reading(name: str, read_sample: ReadSample) -> None:
    report = validate(read_sample(name))

    assert report.is_accepted == (name in ACCEPTED)
    assert [problem.severity for problem in report.problems].count("error") == (name in REFUSED)


def test_a_sample_says_what_it_says(read_sample: ReadSample) -> None:
    character = read_card(read_sample("03_v3.json")).character

    assert (character.name, character.nickname, character.spoken_name) == ("Aoi", "Ao", "Ao")
    assert character.greetings == ("*waves* Hi {{user}}!", "Alt one", "Alt two")
    assert character.group_only_greetings == ("Group hi",)
    assert character.system_prompt == "{{original}} Be kind."
    assert character.extensions == {"x_app": {"keep": 1}}
    assert character.character_book is not None


def test_the_first_of_two_names_counts_and_the_other_stays(read_sample: ReadSample) -> None:
    character = read_card(read_sample("22_root_differs_from_data.json")).character

    assert character.name == "Aoi"
    assert character.unknown_fields.root["name"] == "RootName"


def test_the_assets_of_an_archive_come_with_their_content(read_sample: ReadSample) -> None:
    assets = read_card(read_sample("50.charx")).assets

    assert [asset.file_name for asset in assets] == ["icon-main.png", "emotion-happy.png"]
    assert {asset.media_type for asset in assets} == {"image/png"}
