"""``idol storage restore``."""

from __future__ import annotations

import asyncio

import typer
from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.mirrored import open_with_mirrors
from idolchat_cli.options import AsJson, DryRun
from idolchat_cli.progress import progress
from idolchat_cli.render import cell, on_stdout, print_json, show, table
from idolchat_cli.results import Result
from idolchat_core.mirror import Restored, restore_all

__all__ = ["RESULT", "app"]


class Restoration(Result):
    """What was brought back."""

    dry_run: bool
    missing: int = Field(description="how many conversations and records only mirrors held")
    restored: int = Field(description="how many of them were brought back")
    failures: tuple[Restored, ...] = Field(description="those that could not be brought back")


RESULT = Restoration

app = new_app()


@app.command(epilog=examples("idol storage restore", "idol storage restore --dry-run"))
def restore(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Restore everything that only a mirror holds.

    For after the data folder was lost; a server may run on the new one meanwhile. What is there is not touched, and
    what was deleted stays deleted. Records are those of mirrored namespaces, such as characters. May be interrupted and
    run again. Exits with 1 if something could not be brought back.
    """
    result = asyncio.run(_restored(dry_run=dry_run))
    if as_json:
        print_json(result)
    else:
        _show(result)
    if result.failures:
        raise typer.Exit(1)


async def _restored(*, dry_run: bool) -> Restoration:
    missing = restored = 0
    failures: list[Restored] = []
    async with open_with_mirrors() as storage:
        with progress("Restoring", unit="conversations") as bar:
            async for bar.done, bar.total, one in restore_all(storage, dry_run=dry_run):
                missing += 1
                restored += one.is_restored
                if one.code is not None:
                    failures.append(one)
    return Restoration(dry_run=dry_run, missing=missing, restored=restored, failures=tuple(failures))


def _show(result: Restoration) -> None:
    console = on_stdout()
    if result.failures:
        rows = (
            [cell(one.record or str(one.conversation_id)), cell(one.code or "", "red"), cell(one.message or "")]
            for one in result.failures
        )
        show(console, table("CONVERSATION OR RECORD", "WHY NOT", "", rows=rows))
        console.print()
    if result.dry_run:
        console.print(f"{result.missing:,} conversations and records are only in a mirror and would be restored")
    elif result.missing:
        console.print(f"{result.restored:,} of {result.missing:,} conversations and records restored")
    else:
        console.print("nothing is missing here that a mirror holds")
