"""Replies that go round in a circle, and those that only look like it."""

from __future__ import annotations

import pytest

from idolchat_llm_local.repetition import LONGEST_PERIOD_CHARACTERS, WINDOW_CHARACTERS, RepetitionDetector

VERSE = "I sing for you,\nyou sing for me,\n"
CHORUS = "La la la, sing along tonight!\n"


def _loops(text: str) -> bool:
    detector = RepetitionDetector()
    return any(detector.loops(character) for character in text)


@pytest.mark.parametrize("line", ["a", "ha ", CHORUS, VERSE, "\n", "x" * (LONGEST_PERIOD_CHARACTERS - 1) + "\n"])
def test_a_line_over_and_over_is_a_loop_wherever_it_begins(line: str) -> None:
    assert _loops("Once upon a time.\n" + line * (2 * WINDOW_CHARACTERS // len(line)))


@pytest.mark.parametrize(
    "text",
    [
        CHORUS * 4 + "And now we dance.\n" + CHORUS * 4,
        "".join(f"{number}. {CHORUS}" for number in range(100)),
        "-" * 200 + "\n" + "Not a loop, " * 10,
        "",
    ],
)
def test_a_chorus_a_list_and_a_rule_are_no_loops(text: str) -> None:
    assert not _loops(text)
