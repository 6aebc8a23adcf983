"""The character that comes with idolchat."""

from __future__ import annotations

from importlib.resources import files
from typing import Final
from uuid import UUID

__all__ = ["STARTER_ID", "starter_card"]

STARTER_ID: Final = UUID("019a0000-0000-7000-8000-6c756d690001")
"""The id that every server gives her, so that two that start at once on one storage add her once."""


def starter_card() -> bytes:
    """Read the card, a PNG, which ``art/draw_lumi.py`` makes."""
    return (files(__name__) / "lumi.png").read_bytes()
