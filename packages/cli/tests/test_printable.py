"""No text from elsewhere may steer the terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from idolchat_cli.printable import PrintableText, printable

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
TURNING = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
HOSTILE = st.text(st.one_of(st.sampled_from("\x1b\x9b\x9d\x90\x07\x9c[]P^_\\;?0123mKHz \n"), st.characters()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext 🌸", "plain\n\ttext 🌸"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;c2VjcmV0\x07copied", "copied"),
        ("\x1bPq#0\x1b\\image", "image"),
        ("\x9b31mred", "red"),
        ("\x1b(Bcharset\x1bc", "charset"),
        ("bell\a back\b null\0 return\r\n", "bell back null return\n"),
        ("\u202egnorw\u202c right", "gnorw right"),
        ("\x1b]0;never ended\nnext line", "\nnext line"),
        ("\x1b[12\nnext line", "\nnext line"),
        ("one\x1b", "one"),
    ],
)
def test_only_text_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(HOSTILE)
@example("\x1b[\x1b]\x9b\x07")
def test_no_control_character_is_ever_shown(text: str) -> None:
    assert not CONTROLS.search(printable(text))


@given(st.text(st.characters(exclude_categories=["Cc"], exclude_characters="".join(map(chr, TURNING)))))
def test_text_without_controls_is_shown_as_it_is(text: str) -> None:
    assert printable(text) == text


@given(HOSTILE, st.data())
def test_where_a_text_is_cut_makes_no_difference(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    filtered = PrintableText()

    assert filtered.feed(text[:cut]) + filtered.feed(text[cut:]) == printable(text)
