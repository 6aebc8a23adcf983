"""What an author wrote is made once for a conversation where no macro in it can tell of a turn."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_characters.macros import MACRO_NAMES, MacroContext, expand, tells_of_turn

BEGAN = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
AT_FIRST = MacroContext(
    char="Mika",
    user="Ana",
    conversation_id="c",
    started_at=BEGAN,
    now=BEGAN,
    original="",
    knows_v3=True,
    description="{{char}} sings.",
    model="m",
)
LATER = replace(
    AT_FIRST,
    place="tail",
    now=datetime(2026, 11, 29, 23, 1, 2, tzinfo=UTC),
    turn_id="t",
    last_message="Sing!",
    last_user_message="Sing!",
    last_character_message="La!",
    last_message_number=7,
    user_was_last_here_at=BEGAN,
    outlets={"a": "lore"},
)
PIECES = st.sampled_from(
    ["{{", "}}", "::", "a", "b,c", " ", "<user>", "{{if ", "{{/if}}", *(f"{{{{{name}}}}}" for name in MACRO_NAMES)]
    + [f"{{{{{name}::a::b}}}}" for name in MACRO_NAMES]
)


@given(template=st.lists(PIECES, max_size=12).map("".join), description=st.lists(PIECES, max_size=4).map("".join))
def test_what_tells_of_no_turn_comes_out_the_same_in_all(template: str, description: str) -> None:
    first, later = (replace(context, description=description) for context in (AT_FIRST, LATER))

    assert tells_of_turn(template, later) or expand(template, first) == expand(template, later)


@pytest.mark.parametrize("template", ["Stay {{char}}.", "{{description}}", "{{pick::a::b}}", "<user>", "{{nothing}}"])
def test_names_and_fields_tell_of_no_turn(template: str) -> None:
    assert not tells_of_turn(template, AT_FIRST)


@pytest.mark.parametrize("template", ["{{time}}", "{{random::a::b}}", "{{reverse::{{date}}}}", "{{outlet::a}}"])
def test_times_chances_and_lore_tell_of_the_turn(template: str) -> None:
    assert tells_of_turn(template, AT_FIRST)
    assert tells_of_turn("{{description}}", replace(AT_FIRST, description=template))
