"""What goes into a character comes out of her, whatever it is and wherever it stood."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idolchat_characters import CardRefused, Character
from idolchat_characters.cards import CardFormat, read_card, write_card

FORMATS: tuple[CardFormat, ...] = ("json", "png", "charx")
NAMES = st.text(min_size=1, max_size=8).map(lambda name: f"x_{name}")
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
UNKNOWN = st.dictionaries(NAMES, VALUES, max_size=3)
TEXT = st.text(max_size=20)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A card V3 with unknown fields at every level."""
    entry = {"keys": ["k"], "content": draw(TEXT), "enabled": True, "insertion_order": 1, "extensions": draw(UNKNOWN)}
    book = {"entries": [entry | draw(UNKNOWN)], "extensions": draw(UNKNOWN)} | draw(UNKNOWN)
    asset = {"type": "icon", "uri": "ccdefault:", "name": "main", "ext": "png"} | draw(UNKNOWN)
    data = {
        "name": "Aoi",
        "description": draw(TEXT),
        "nickname": draw(TEXT),
        "tags": draw(st.lists(TEXT, max_size=2)),
        "alternate_greetings": draw(st.lists(TEXT, max_size=2)),
        "group_only_greetings": draw(st.lists(TEXT, max_size=2)),
        "creator_notes_multilingual": draw(st.dictionaries(TEXT, TEXT, max_size=2)),
        "source": draw(st.lists(TEXT, max_size=2)),
        "creation_date": draw(st.integers()),
        "extensions": draw(UNKNOWN),
        "character_book": book,
        "assets": [asset],
    }
    return {"spec": "chara_card_v3", "spec_version": "3.0", "data": data | draw(UNKNOWN)} | draw(UNKNOWN)


def is_within(part: Any, whole: Any) -> bool:
    """Whether every member and item of one value is in the other, with the same type, at the same place."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and is_within(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) == len(whole) and all(map(is_within, part, whole))
    return type(part) is type(whole) and part == whole


@settings(deadline=None)
@given(documents())
def test_an_edited_card_has_every_field_where_it_was(document: dict[str, Any]) -> None:
    original = json.dumps(document).encode()
    edited = read_card(original).character.model_copy(update={"name": "Mika"})

    written = json.loads(write_card(edited, "json", original=original))

    expected = {**document, "data": {**document["data"], "name": "Mika"}}
    assert is_within(expected, written)


@settings(max_examples=40, deadline=None)
@given(documents(), st.permutations(FORMATS))
def test_a_card_goes_through_every_format_unchanged(document: dict[str, Any], order: list[CardFormat]) -> None:
    original = json.dumps(document).encode()
    first = read_card(original).character
    content, character = original, first
    for card_format in order:
        content = write_card(character, card_format, original=content)
        character = read_card(content).character

    assert character.model_copy(update={"assets": None}) == first.model_copy(update={"assets": None})
    assert [asset.model_extra for asset in character.assets or ()] == [
        asset.model_extra for asset in first.assets or ()
    ]


@settings(deadline=None)
@given(documents())
def test_a_character_is_the_same_after_she_was_stored(document: dict[str, Any]) -> None:
    original = json.dumps(document).encode()
    stored = read_card(original).character.model_dump_json()

    assert write_card(Character.model_validate_json(stored), "json", original=original) == original


@settings(deadline=None)
@given(UNKNOWN, UNKNOWN)
def test_unknown_fields_of_a_flat_card_survive(unknown: dict[str, Any], extensions: dict[str, Any]) -> None:
    original = json.dumps({"name": "Aoi", "description": "d", "extensions": extensions} | unknown).encode()
    edited = read_card(original).character.model_copy(update={"name": "Mika"})

    written = json.loads(write_card(edited, "json", original=original))

    assert is_within(unknown, written)
    assert is_within(extensions, written["data"]["extensions"])


def test_changing_true_to_one_is_an_edit(make_json: Callable[..., bytes]) -> None:
    original = make_json(extensions={"flag": True})
    edited = read_card(original).character.model_copy(update={"extensions": {"flag": 1}})

    assert json.loads(write_card(edited, "json", original=original))["data"]["extensions"] == {"flag": 1}


def test_fields_repeated_beside_data_follow_it(make_card: Callable[..., dict[str, Any]]) -> None:
    original = json.dumps(make_card() | {"name": "Aoi", "first_mes": "Hello", "chat": "Aoi - 2025"}).encode()
    edited = read_card(original).character.model_copy(update={"name": "Mika"})

    written = json.loads(write_card(edited, "json", original=original))

    assert (written["name"], written["first_mes"], written["chat"]) == ("Mika", "Hello", "Aoi - 2025")


def test_values_that_a_field_cannot_hold_are_kept(make_json: Callable[..., bytes]) -> None:
    odd = {"description": ["a"], "tags": 5, "extensions": [1], "assets": [{"uri": 3}], "creation_date": "2024"}
    reading = read_card(make_json(**odd))

    kept = reading.character.extensions["idolchat/unreadable"]

    assert kept == {**{name: odd[name] for name in odd if name != "assets"}, "assets.0": {"uri": 3}}
    assert {f"data.{name}" for name in kept} <= {problem.place for problem in reading.warnings}


def test_a_card_cannot_say_who_owns_it(make_json: Callable[..., bytes]) -> None:
    claims = {"owner_id": "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55", "visibility": "public", "model": "dear/one"}

    character = read_card(make_json(**claims)).character

    assert (character.owner_id, character.visibility, character.model) == (None, "private", None)
    assert character.unknown_fields.data == claims


def test_webp_is_not_written(make_json: Callable[..., bytes]) -> None:
    character = read_card(make_json()).character

    with pytest.raises(CardRefused, match="only read"):
        write_card(character, "webp")
