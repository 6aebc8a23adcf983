"""What the docs say is what the code does."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ["configuration", "cli"])
def test_a_page_that_is_made_from_the_code_is_current(name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    written = (DOCS / f"{name}.md").read_text()
    assert written == module.page(), f"run: python docs/{name}.py > docs/{name}.md"
