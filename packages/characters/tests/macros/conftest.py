from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from idolchat_characters.macros import MacroContext, expand

NOON = datetime(2026, 11, 29, 13, 45, tzinfo=UTC)


class Expand(Protocol):
    def __call__(self, template: str, **more: Any) -> str: ...


def expanded(template: str, **more: Any) -> str:
    given = {"char": "Seraphina", "user": "Mika", "conversation_id": "c", "started_at": NOON, "now": NOON, **more}
    return expand(template, MacroContext(**given))


@pytest.fixture(name="expanded")
def make_expanded() -> Expand:
    """Resolve a template for Seraphina and Mika."""
    return expanded
