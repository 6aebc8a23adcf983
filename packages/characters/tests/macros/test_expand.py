from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idolchat_characters.macros import unknown_macros
from idolchat_characters.macros.parsing import Macro, parse

if TYPE_CHECKING:
    from macros.conftest import Expand

PIECES = st.sampled_from(
    ["{{", "}}", "{", "}", "user", "::", ":", " ", "if", "/if", "random", "a,b", "\\{", "<user>", "é"]
)
TEMPLATES = st.lists(PIECES, max_size=30).map("".join)


@settings(suppress_health_check=list(HealthCheck))
@given(template=TEMPLATES)
def test_any_template_is_resolved_to_the_same_each_time(expanded: Expand, template: str) -> None:
    assert expanded(template) == expanded(template)


@given(st.text(st.characters(exclude_characters="{}<\\")))
def test_text_without_macros_stays_as_it_is(text: str) -> None:
    assert parse(text) == ((text,) if text else ())


def test_what_a_macro_gives_is_text(expanded: Expand) -> None:
    assert expanded("{{lastMessage}} {{char}}", last_message="{{user}} <user>") == "{{user}} <user> Seraphina"
    assert expanded("{{user}}", user="{{char}}") == "{{char}}"
    assert expanded("{{reverse::{{user}}}}", user="}}rahc{{") == "{{char}}"


def test_fields_that_authors_write_are_templates(expanded: Expand) -> None:
    assert expanded("{{description}}", description="{{char}} likes {{persona}}.", persona="{{user}}, a cook") == (
        "Seraphina likes Mika, a cook."
    )


def test_a_field_that_contains_itself_stays_as_written(expanded: Expand) -> None:
    assert expanded("{{description}}", description="I am {{description}}") == "I am {{description}}"
    assert expanded("{{scenario}}", scenario="{{persona}}", persona="{{scenario}}!") == "{{scenario}}!"


def test_the_original_is_given_once_and_only_to_an_override(expanded: Expand) -> None:
    assert expanded("{{original}} {{original}}|", original="Be kind.") == "Be kind. |"
    assert expanded("{{original}}") == "{{original}}"


def test_a_condition_chooses(expanded: Expand) -> None:
    template = "{{if persona}}{{user}} is {{persona}}.{{else}}Nobody.{{/if}}"

    assert expanded(template, persona="a cook") == "Mika is a cook."
    assert expanded(template) == "Nobody."
    assert expanded("{{if !persona}}A{{/if}}{{if 0}}B{{/if}}{{if {{char}}}}C{{/if}}") == "AC"


@pytest.mark.parametrize("template", ["{{if x}}a", "a{{/if}}", "{{else}}", "{{if}}a{{/if}}"])
def test_half_a_condition_stays_as_written(expanded: Expand, template: str) -> None:
    assert expanded(template) == template


def test_variables_last_as_long_as_one_template(expanded: Expand) -> None:
    assert expanded("{{setvar::a::1}}{{addvar::a::2}}{{incvar::a}}{{decvar::a}}{{getvar::a}}") == "433"
    assert expanded("{{addvar::a::x}}{{addvar::a::y}}{{getvar::a}}{{hasvar::a}}{{deletevar::a}}{{hasvar::a}}") == (
        "xytruefalse"
    )
    assert expanded("{{getvar::a}}|") == "|"


def test_a_hidden_key_is_removed_where_v3_is_known(expanded: Expand) -> None:
    assert expanded("{{hidden_key:x}}y", knows_v3=True) == "y"


def test_a_group_is_named_by_its_members(expanded: Expand) -> None:
    assert expanded("{{group}}|{{notChar}}", group=("Seraphina", "Ren")) == "Seraphina, Ren|Ren, Mika"


def test_outlets_give_what_lorebooks_put_there(expanded: Expand) -> None:
    assert expanded("{{outlet::moods}}|{{outlet::none}}", outlets={"moods": "calm"}) == "calm|"


def test_trim_takes_line_ends_away_on_both_sides(expanded: Expand) -> None:
    assert expanded("a\n\r\n{{trim}}{{newline}}\n b{{trim}}\n{{trim}}c") == "a bc"


def test_names_that_are_no_macro_are_found() -> None:
    template = "{{user}} {{usr}} {{random::{{chr}}::b}} {{usr}} {{if x}}{{mood}}{{/if}} {{// {{any}} }}"

    assert unknown_macros(template) == ("usr", "chr", "mood", "any")


def test_offsets_are_where_macros_stand() -> None:
    macros = [node for node in parse("a {{user}} <char> {{x::{{y}}}}") if isinstance(node, Macro)]

    assert [(macro.name, macro.offset, macro.end) for macro in macros] == [
        ("user", 2, 10),
        ("char", 11, 17),
        ("x", 18, 30),
    ]
