"""Every code block of README and documentation is run by a test, or says how else it was checked."""

import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.support.pages import ROOT, Block, blocks, pages

LIST: dict[str, dict[str, str]] = tomllib.loads((ROOT / "tests" / "blocks.toml").read_text())
"""How the blocks of each page are checked, by the beginning of their first line."""


def entries(block: Block) -> list[str]:
    """Return what is listed for a block: the longest beginnings first."""
    listed = LIST.get(block.page, {})
    return sorted((begins for begins in listed if block.begins.startswith(begins)), key=len, reverse=True)


def named() -> Iterator[tuple[str, str]]:
    """Yield the tests and fixtures that the list names, as file and name."""
    for page in LIST.values():
        for how in page.values():
            if match := re.fullmatch(r"((?:tests|packages)/\S+\.py)(?:::(\w+))?", how):
                yield match[1], match[2] or ""


@pytest.mark.parametrize("page", pages())
def test_every_block_of_a_page_is_listed(page: str) -> None:
    assert [block.begins for block in blocks(page) if not entries(block)] == []


def test_nothing_is_listed_that_is_not_there() -> None:
    found = {(block.page, entries(block)[0]) for page in pages() for block in blocks(page) if entries(block)}

    assert {(page, begins) for page, listed in LIST.items() for begins in listed} == found


@pytest.mark.parametrize(("file", "name"), sorted(set(named())))
def test_what_the_list_names_is_there(file: str, name: str) -> None:
    assert not name or re.search(rf"def {name}\(", (ROOT / file).read_text())


@pytest.mark.parametrize("page", pages())
def test_code_stands_in_blocks_that_name_their_language(page: str) -> None:
    text = (ROOT / page).read_text()
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)

    assert all(block.language for block in blocks(page))
    assert re.findall(r"\n\n {4}\S.*", outside) == []
