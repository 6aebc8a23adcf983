"""What the docs say is what the code does."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_configuration_page_is_made_from_the_settings() -> None:
    spec = importlib.util.spec_from_file_location("configuration", DOCS / "configuration.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    written = (DOCS / "configuration.md").read_text()
    assert written == module.page(), "run: python docs/configuration.py > docs/configuration.md"
