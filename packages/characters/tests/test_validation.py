import json
from collections.abc import Callable
from typing import Any

import pytest

from idolchat_characters.cards import validate

type MakeJson = Callable[..., bytes]

GOOD = {
    "description": "An idol.",
    "first_mes": "Hi",
    "extensions": {},
    "tags": [],
    "alternate_greetings": [],
    **dict.fromkeys(
        ["personality", "scenario", "mes_example", "creator_notes", "system_prompt", "post_history_instructions"], ""
    ),
    **dict.fromkeys(["creator", "character_version"], ""),
}


ENTRY = {"keys": ["a"], "content": ""}


def book(*entries: Any) -> dict[str, Any]:
    return {"character_book": {"entries": list(entries)}}


def test_a_card_without_faults_has_no_problems(make_json: MakeJson) -> None:
    report = validate(make_json(**GOOD))

    assert (report.format, report.version, report.name, report.problems) == ("json", "v2", "Aoi", ())


@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        ({"first_mes": ""}, "data.first_mes", "without a greeting"),
        ({"description": ""}, "data.description", "nothing but the name"),
        ({"creator_notes_multilingual": {"en-GB": ""}}, "data.creator_notes_multilingual.en-GB", "ISO 639-1"),
        ({"creation_date": 9, "modification_date": 8}, "data.modification_date", "before creation_date"),
        ({"creation_date": 1.5}, "data.creation_date", "whole number of seconds"),
        ({"character_book": {}}, "data.character_book.entries", "must be a list"),
        ({"character_book": []}, "data.character_book", "must be an object"),
        (book(3), "data.character_book.entries.0", "must be an object"),
        (book({"keys": ["a"]}), "data.character_book.entries.0.content", "must be text"),
        (book({"keys": [3], "content": ""}), "data.character_book.entries.0.keys", "list of texts"),
        (book({"keys": [], "content": ""}), "data.character_book.entries.0.keys", "not constant"),
        (book(ENTRY | {"secondary_keys": "b"}), "data.character_book.entries.0.secondary_keys", "split"),
        ({"assets": [{"type": "portrait", "uri": "ccdefault:"}]}, "data.assets.0.type", "begins with x_"),
        ({"assets": [{"type": "icon", "uri": "ccdefault:"}] * 2}, "data.assets", "several icons"),
    ],
)  # fmt: skip
def test_each_problem_is_said_by_its_field(
    fields: dict[str, Any], place: str, message: str, make_json: MakeJson
) -> None:
    report = validate(make_json(**GOOD | fields))

    (problem,) = report.problems
    assert (problem.severity, problem.place) == ("warning", place)
    assert message in problem.message


def test_required_fields_that_are_missing_are_named_together(make_card: Callable[..., dict[str, Any]]) -> None:
    card = make_card("chara_card_v3", **{name: value for name, value in GOOD.items() if name != "creator"})

    (problem,) = validate(json.dumps(card).encode()).problems

    assert problem.message == "lacks creator, group_only_greetings; read as empty"


def test_a_refusal_is_the_one_error_of_the_report() -> None:
    report = validate(b"{")

    (problem,) = report.problems
    assert not report.is_accepted
    assert str(problem).startswith("error: file: is no JSON")
