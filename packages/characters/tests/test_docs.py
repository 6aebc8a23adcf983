"""What the pages about cards say is what the code does."""

import dataclasses
import re
from pathlib import Path

from idolchat_characters import Character, Sampling
from idolchat_characters.cards import CardLimits

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "character-cards.md").read_text()


def code_of(page: Path) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    return str(code)


def test_the_example_of_the_readme_runs() -> None:
    exec(code_of(ROOT / "packages" / "characters" / "README.md"), {})  # noqa: S102  our own page


def test_the_page_lists_every_field_of_a_character() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (?:V\d|-|[a-z`])", PAGE, re.MULTILINE)

    assert set(Character.model_fields) <= set(listed)


def test_the_page_lists_every_sampling_field() -> None:
    (row,) = re.findall(r"^\| `sampling` \| (.*);", PAGE, re.MULTILINE)

    assert re.findall(r"`(\w+)`", row) == list(Sampling.model_fields)


def test_the_page_lists_every_limit_with_its_default() -> None:
    listed = {name: int(value) for name, value in re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE, re.MULTILINE)}

    assert listed == dataclasses.asdict(CardLimits())
