"""Hostile templates: the time and the text that they make are bounded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from idolchat_characters.macros import MAX_DEPTH, MAX_OUTPUT_CHARS

if TYPE_CHECKING:
    from macros.conftest import Expand

HANGS_S = 60.0
"""CPU that tells work without a bound, which takes hours, from slow work: no measure of speed."""


def test_macros_add_at_most_64_kb_and_the_rest_stays_as_written(expanded: Expand) -> None:
    out = expanded("{{description}}" * 1_000, description="x" * 1_000)

    assert out == "x" * 65_000 + "{{description}}" * 935


def test_text_of_the_author_is_never_cut(expanded: Expand) -> None:
    text = "y" * (2 * MAX_OUTPUT_CHARS)

    assert expanded("{{user}}" + text) == "Mika" + text


@pytest.mark.parametrize("template", ["{{space::999999}}", "{{newline::65537}}"])
def test_a_macro_that_gives_too_much_stays_as_written(expanded: Expand, template: str) -> None:
    assert expanded(template) == template


def test_macros_nested_deeper_than_20_stay_as_written(expanded: Expand) -> None:
    def nested(depth: int) -> str:
        return "{{reverse::" * depth + "ab" + "}}" * depth

    assert expanded(nested(MAX_DEPTH)) == "ab"
    assert expanded(nested(MAX_DEPTH + 2)) == "{{reverse::{{reverse::ab}}}}"


@pytest.mark.parametrize(
    "template",
    [
        "{{" * 200_000,
        "}}" * 200_000,
        "{" * 400_000,
        "{{a::" * 100_000 + "}}" * 100_000,
        "{{if x}}" * 50_000 + "{{/if}}" * 50_000,
        ("{{if x}}" * 20 + "{{reverse::") * 20 + "}}" * 20,
        "{{reverse::" * 20 + "{{space::9999999}}" + "}}" * 20,
        "{{roll:99d9}}" * 20_000,
        "{{pick::a::b}}" * 20_000,
        "{{random:" + "a," * 100_000 + "}}",
        "\\{" * 200_000,
        "{{trim}}\n" * 50_000,
    ],
)
def test_a_hostile_template_takes_little_time(expanded: Expand, template: str) -> None:
    started = time.process_time()
    out = expanded(template)

    assert len(out) <= len(template) + MAX_OUTPUT_CHARS
    assert time.process_time() - started < HANGS_S
