"""Options that mean the same wherever a command has them."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["AsJson", "DryRun", "Yes"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, in the shape that the reference tells.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; tell what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
