"""``idol storage sync``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.mirrored import open_with_mirrors
from idolchat_cli.options import AsJson, DryRun
from idolchat_cli.progress import progress
from idolchat_cli.render import cell, on_stdout, print_json, show, table
from idolchat_cli.results import Result
from idolchat_core.mirror import MirrorRepair, repair_all

__all__ = ["RESULT", "app"]


class Synchronisation(Result):
    """What differed, and what became of it."""

    dry_run: bool
    compared: int = Field(description="how many conversations and records were compared, counted per mirror")
    differing: int
    mended: int
    differences: tuple[MirrorRepair, ...]


RESULT = Synchronisation

app = new_app()


@app.command(epilog=examples("idol storage sync", "idol storage sync --dry-run", "idol storage sync --mine"))
def sync(
    mine: Annotated[
        bool, typer.Option("--mine", help="Leave conversations that only the mirror holds: another server's.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make the primary storage and its mirrors the same.

    Compares conversations, and the records of mirrored namespaces, by content. The primary wins, unless the mirror
    holds more of the same history; what is replaced by another history is kept as a record in the namespace
    mirror.replaced. A server may run meanwhile. Exits with 1 if something still differs, or with --dry-run if anything
    does.
    """
    result = asyncio.run(_synchronised(mine=mine, dry_run=dry_run))
    if as_json:
        print_json(result)
    else:
        _show(result)
    if result.mended < result.differing:
        raise typer.Exit(1)


async def _synchronised(*, mine: bool, dry_run: bool) -> Synchronisation:
    compared_count = 0
    found: list[MirrorRepair] = []
    async with open_with_mirrors() as storage:
        for mirror in storage.mirrors:
            with progress(f"Comparing with {mirror.name}", unit="conversations") as bar:
                async for compared, mended in repair_all(storage, mirror, dry_run=dry_run, mine_only=mine):
                    bar.done, bar.total = compared.done, compared.total
                    compared_count += 1
                    if mended is not None:
                        found.append(mended)
    return Synchronisation(
        dry_run=dry_run,
        compared=compared_count,
        differing=len(found),
        mended=sum(one.is_mended for one in found),
        differences=tuple(found),
    )


def _show(result: Synchronisation) -> None:
    console = on_stdout()
    if result.differences:
        rows = (
            [
                cell(str(one.difference.subject)),
                cell(one.difference.mirror),
                cell(one.difference.kind),
                cell(_outcome(one, dry_run=result.dry_run), "green" if one.is_mended else "red"),
            ]
            for one in result.differences
        )
        show(console, table("CONVERSATION OR RECORD", "MIRROR", "DIFFERENCE", "", rows=rows))
        console.print()
    console.print(f"{result.compared:,} compared, {result.differing:,} differed, {result.mended:,} mended")


def _outcome(one: MirrorRepair, *, dry_run: bool) -> str:
    if one.is_mended:
        return "mended"
    return "would be mended" if dry_run else one.message or "still differs"
