import json
from collections.abc import Callable

import pytest

from idolchat_characters import CardRefused
from idolchat_characters.cards import CardLimits, read_card


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (b"", "file", "line 1 column 1"),
        (b"Hello", "file", "line 1 column 1"),
        (b"[]", "file", "no object"),
        (b'{"name": "Aoi"\n "tags": []}', "file", "line 2 column 2"),
        (b'{"name": "Aoi", "tags": ["a",\n]}', "file", "a comma too many at line"),
        (b'{"name": "Aoi", "a": {"b": [1, -Infinity]}}', "a.b.1", "-Infinity, which JSON does not have"),
        ('{"name": "Aoi"}'.encode("utf-16"), "file", "UTF-8"),
        (b'{"spec": "lorebook_v3", "data": {"entries": []}}', "spec", "import the file as a lorebook"),
        (b'{"entries": {}}', "name", "this is a lorebook"),
        (b'{"hello": "world"}', "name", "no character card"),
        (b'{"spec": "chara_card_v2"}', "data", "must be an object"),
        (b'{"name": null}', "name", "write the character's name"),
        (b'{"data": {"name": "  "}}', "data.name", "write the character's name"),
    ],
)
def test_what_is_no_card_is_refused_by_its_place(text: bytes, place: str, message: str) -> None:
    with pytest.raises(CardRefused, match=message) as refusal:
        read_card(text)

    assert refusal.value.param == place


def test_text_that_is_not_utf8_is_read_with_a_warning() -> None:
    reading = read_card(b'{"name": "Ao\xef"}')

    assert reading.character.name == "Ao\ufffd"
    assert "not UTF-8 from byte 12" in reading.warnings[0].message


def test_names_of_fields_lose_half_surrogates_but_not_their_values(make_json: Callable[..., bytes]) -> None:
    fields = {chr(0xD83D): 1, chr(0xD83E): 2, "whole \U0001f338": 3}

    character = read_card(make_json(extensions=fields)).character

    assert character.extensions == {"\ufffd": 1, "\ufffd\ufffd": 2, "whole \U0001f338": 3}


def test_numbers_too_large_for_a_double_become_null() -> None:
    reading = read_card(b'{"name": "Aoi", "extensions": {"a": 1e999, "b": [%s]}}' % (b"9" * 5000))

    assert reading.character.extensions == {"a": None, "b": [None]}
    assert {problem.place for problem in reading.warnings} >= {"extensions.a", "extensions.b.0"}


def test_long_whole_numbers_stay_exact(make_json: Callable[..., bytes]) -> None:
    assert read_card(make_json(extensions={"n": 10**3999})).character.extensions == {"n": 10**3999}


def test_a_card_of_pygmalion_is_read() -> None:
    notes = {
        "char_name": "Aoi",
        "char_persona": "p",
        "world_scenario": "w",
        "char_greeting": "g",
        "example_dialogue": "e",
    }

    character = read_card(json.dumps(notes).encode()).character

    assert (character.name, character.description, character.scenario) == ("Aoi", "p", "w")
    assert (character.first_mes, character.mes_example) == ("g", "e")


def test_a_name_that_stands_only_beside_data_is_taken() -> None:
    reading = read_card(b'{"spec": "chara_card_v2", "spec_version": "2.0", "name": "Aoi", "data": {"name": ""}}')

    assert reading.character.name == "Aoi"


def test_tags_in_one_text_are_split(make_json: Callable[..., bytes]) -> None:
    assert read_card(make_json(tags="idol, singer,")).character.tags == ("idol", "singer")


def test_numbers_and_flags_are_read_as_text(make_json: Callable[..., bytes]) -> None:
    character = read_card(make_json(character_version=1.5, creator=True, alternate_greetings=["a", 3, None])).character

    assert (character.character_version, character.creator) == ("1.5", "true")
    assert character.alternate_greetings == ("a", "3")


def test_warnings_are_not_endless(make_json: Callable[..., bytes]) -> None:
    warnings = read_card(make_json(tags=list(range(1000)))).warnings

    assert len(warnings) == 201
    assert "more than 200" in warnings[-1].message


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (CardLimits(json_depth=3), "data.a.b.*more than 3 levels"),
        (CardLimits(json_bytes=50), "at most 50 are read"),
        (CardLimits(json_values=8), "more than 8 values"),
        (CardLimits(file_bytes=50), "at most 50 are read"),
    ],
)
def test_each_limit_is_said(limits: CardLimits, message: str, make_json: Callable[..., bytes]) -> None:
    content = make_json(a={"b": {"c": 1}}, tags=["t", "t"])

    with pytest.raises(CardRefused, match=message):
        read_card(content, limits=limits)
    assert read_card(content).character.name == "Aoi"
