"""The pages for authors of cards name everything that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from idolchat_characters.lore import Reason
from idolchat_characters.lore.decorators import DECORATORS, IGNORED
from idolchat_characters.macros import MACRO_NAMES

DOCS = Path(__file__).parents[4] / "docs"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_documented(reason: Reason) -> None:
    assert f"`{reason}`" in (DOCS / "lorebooks.md").read_text()


@pytest.mark.parametrize("name", sorted(DECORATORS | IGNORED))
def test_every_decorator_is_documented(name: str) -> None:
    assert re.search(rf"`(?:@@)?{name}[ `]", (DOCS / "lorebooks.md").read_text())


@pytest.mark.parametrize("name", sorted(MACRO_NAMES))
def test_every_macro_is_documented(name: str) -> None:
    shown = re.sub(r"time_utc[+-]\d+", "time_utc+2", name.replace("globalvar", "var"))

    assert re.search(rf"\{{\{{{re.escape(shown)}[ :}}]", (DOCS / "macros.md").read_text(), re.IGNORECASE)
