"""Recall in languages that put no blanks between words."""

from pathlib import Path

import pytest
from benchmarks.memory_recall import load, measure


@pytest.mark.parametrize(("language", "least"), [("ja", 85), ("ko", 85), ("zh", 85)])
async def test_most_of_twenty_questions_are_answered_by_the_first_five(
    language: str, least: int, tmp_path: Path
) -> None:
    talks = list(load(Path(__file__).parent / "languages" / f"{language}.json"))

    result = await measure(talks, tmp_path, semantic=False)

    assert len(talks[0].questions) == 20
    assert result["recall"]["5"] >= least
