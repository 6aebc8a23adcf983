"""An installation that keeps conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from parts.kept import EVERYTHING

if TYPE_CHECKING:
    from conftest import Installation


@pytest.fixture
def kept(installation: Installation) -> Installation:
    """Keep three conversations."""
    installation.keep(*EVERYTHING)
    return installation
