"""Options that mean the same wherever a command has them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

__all__ = ["AsJson", "DryRun", "Yes", "parse_id"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, in the shape that the reference tells.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; tell what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def parse_id(text: str) -> str:
    """Read an id: a UUID in any of its forms, which becomes the one that is stored, or the name of another service."""
    if not text.strip():
        raise typer.BadParameter("it is empty; write an id")
    try:
        return str(UUID(text))
    except ValueError:
        return text
