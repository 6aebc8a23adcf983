"""Templates with what SillyTavern 1.19.0 made of each when it was evaluated six times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from macros.conftest import Expand

TEMPLATES = json.loads((Path(__file__).parent / "sillytavern.json").read_text())
MESSAGE = "*You wake with a start, recalling the events that led you deep into th"
CONTEXT = {
    "description": '[Seraphina\'s Personality= "caring", "protective", "compassionate", "he',
    "character_version": "1.0.0",
    "last_message": MESSAGE,
    "last_character_message": MESSAGE,
    "last_message_number": 0,
    "model": "no_connection",
    "max_prompt_tokens": 7842,
}


def _is_of_its_chat(template: str) -> bool:
    """Whether the result rests on the name of the chat that SillyTavern had open."""
    return "{{pick" in template


@pytest.mark.parametrize(
    ("template", "results"), [t for t in TEMPLATES if len(t[1]) == 1 and not _is_of_its_chat(t[0])]
)
def test_a_template_gives_what_sillytavern_gives(expanded: Expand, template: str, results: list[str]) -> None:
    assert expanded(template, **CONTEXT) == results[0]


@pytest.mark.parametrize(
    "template", ["{{random:a,b,c}}", "{{random::a::b::c}}", r"{{random:a\,b,c}}", "{{random: x , y }}", "{{roll:6}}"]
)
def test_chance_gives_one_of_what_sillytavern_gives(expanded: Expand, template: str) -> None:
    results = dict(map(tuple, TEMPLATES))[template]
    seen = {expanded(template, conversation_id=str(number)) for number in range(100)}

    assert seen >= set(results)
    assert seen <= {*results, "2", "4"} if "roll" in template else seen == set(results)
