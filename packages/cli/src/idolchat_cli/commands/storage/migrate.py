"""``idol storage migrate``."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson, DryRun
from idolchat_cli.progress import progress
from idolchat_cli.render import cell, on_stdout, print_json, show, table
from idolchat_cli.results import Result
from idolchat_cli.targets import Target, parse_target
from idolchat_cli.usage import WrongUsage
from idolchat_core.choice import choose_storages
from idolchat_core.conversations.migration import Failure, Migration, migrate
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.settings import CoreSettings, read_settings

__all__ = ["RESULT", "app"]


class Migrated(Result):
    """How a migration ended."""

    dry_run: bool
    conversations: int = Field(description="how many the source holds")
    copied: int = Field(description="how many were written in this run; with --dry-run, how many would be")
    verified: int = Field(description="how many are the same on both sides, compared by content at the end")
    records: int = Field(description="records and logs that were copied or there already")
    failures: tuple[Failure, ...] = Field(description="what could not be copied, such as damaged conversations")
    changing: bool = Field(description="whether the source was still being written to; run it once more then")
    seconds: float


RESULT = Migrated

app = new_app()


@app.command(
    "migrate",
    epilog=examples(
        "idol storage migrate --to local:/mnt/new",
        "idol storage migrate --from local --to supabase --dry-run",
        "idol storage migrate --from local:/old/data --to postgres",
    ),
)
def migrate_storage(
    target: Annotated[str, typer.Option("--to", metavar="STORAGE", help="Where to: NAME, or NAME:PLACE.")],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="STORAGE", help="Where from; without it, the storage that is in use."),
    ] = None,
    source_env: Annotated[
        Path | None,
        typer.Option("--from-env", exists=True, dir_okay=False, metavar="FILE", help="Variables of the source."),
    ] = None,
    target_env: Annotated[
        Path | None,
        typer.Option("--to-env", exists=True, dir_okay=False, metavar="FILE", help="Variables of the target."),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Copy everything to another storage, and make sure of it.

    STORAGE is the name of an installed one, with the settings that it has, or NAME:PLACE for the same with another
    data folder or bucket: local:/mnt/new. What is there already, and the same, is not written again, so an interrupted
    migration is gone on with by running it once more. At the end all of it is read on both sides and compared. What
    only the target has stays. Exits with 1 if something could not be copied.
    """
    settings = read_settings(CoreSettings)
    plugins = load_plugins(only=settings.plugins)
    origin = parse_target(source or choose_storages(settings, plugins)[0], plugins, env_file=source_env)
    destination = parse_target(target, plugins, env_file=target_env)
    if origin.is_same(destination):
        raise WrongUsage(
            f"{origin.text} and {destination.text} are the same storage; name a place: {destination.name}:PLACE"
        )
    origin.require_there()
    begun = time.perf_counter()

    async def run() -> Migration:
        async with origin.open(plugins) as old, destination.open(plugins) as new:
            with progress("Copying", unit="conversations") as bar:
                states = migrate(old, new, records=list(plugins.mirrored_records), dry_run=dry_run)
                state = await anext(states)
                async for state in states:
                    bar.done, bar.total = state.done, state.total
                return state

    result = _result(asyncio.run(run()), dry_run=dry_run, seconds=time.perf_counter() - begun)
    if as_json:
        print_json(result)
    else:
        _show(result, origin, destination)
    if result.failures or result.changing:
        raise typer.Exit(1)


def _result(ended: Migration, *, dry_run: bool, seconds: float) -> Migrated:
    return Migrated(
        dry_run=dry_run,
        conversations=ended.total,
        copied=ended.copied,
        verified=ended.verified,
        records=ended.records,
        failures=ended.failures,
        changing=ended.changing,
        seconds=round(seconds, 3),
    )


def _show(result: Migrated, origin: Target, destination: Target) -> None:
    console = on_stdout()
    if result.failures:
        rows = ([cell(one.what), cell(one.code, "red"), cell(one.message)] for one in result.failures)
        show(console, table("NOT COPIED", "WHY", "", rows=rows))
        console.print()
    console.print(
        f"{origin.text} to {destination.text}: {result.conversations:,} conversations,"
        f" {result.copied:,} {'would be copied' if result.dry_run else 'copied'}, {result.verified:,} the same on both"
        f" sides, {len(result.failures):,} failed"
    )
    if result.changing:
        console.print("The source is being written to: stop its server, and run this once more for the last changes.")
