"""``idol restore``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.backups.restoring import Restored, holds_anything, restore_backup
from idolchat_cli.files import check_input, open_input, rereadable
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.render import number_of, on_stderr, print_json
from idolchat_cli.results import Result
from idolchat_cli.usage import WrongUsage
from idolchat_core.settings import CoreSettings, read_settings
from idolchat_core.storage.data_lock import is_served

__all__ = ["RESULT", "app"]


class PutBack(Result):
    """What a restore has put back, and found to be there at the end."""

    path: str
    storage: str
    conversations: int
    records: int
    logs: int
    damaged: list[UUID] = Field(description="conversations that were damaged when the backup was made; not put back")
    differing: list[str] = Field(description="files of the backup that the storage does not hold as they are there")


RESULT = PutBack

app = new_app()


@app.command(epilog=examples("idol restore backup.tar.gz", "IDOLCHAT_DATA_DIR=/srv/idol idol restore backup.tar.gz"))
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What idol backup has written; - is standard input.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Into a storage that holds something; the same names are replaced.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup back into the storage that the settings choose, and compare.

    No server may run on it. The whole backup is checked before anything is written. Exits with 1 if something is not
    there at the end as the backup has it.
    """
    check_input(source, takes_folders=False)
    _require_no_server()
    restored, storage_name = asyncio.run(_restore(source, overwrite=overwrite))
    result = PutBack(
        path=str(source),
        storage=storage_name,
        conversations=restored.conversations,
        records=restored.records,
        logs=restored.logs,
        damaged=restored.damaged,
        differing=restored.differing,
    )
    _show(result, as_json=as_json)
    if result.differing or result.damaged:
        raise typer.Exit(1)


def _require_no_server() -> None:
    folder = read_settings(CoreSettings).data_dir
    if is_served(folder):
        raise WrongUsage(f"a server runs on {folder.absolute()}: stop it, and start it again after the restore")


async def _restore(source: Path, *, overwrite: bool) -> tuple[Restored, str]:
    async with open_conversations() as opened:
        if not overwrite and await holds_anything(opened.storage):
            by_folder = " with IDOLCHAT_DATA_DIR" if opened.storage_name == "local" else ""
            raise WrongUsage(
                f"the storage {opened.storage_name} holds something already: name one that is empty"
                f"{by_folder}, or give --overwrite to replace what has the same names"
            )
        with open_input(source) as given, rereadable(given) as stream:
            return await restore_backup(opened.storage, stream, str(source)), opened.storage_name


def _show(result: PutBack, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        on_stderr().print(
            f"Restored {number_of(result.conversations, 'conversation')}, {number_of(result.records, 'record')} and"
            f" {number_of(result.logs, 'log')} from {result.path}, and compared them"
        )
    for name in result.differing:
        on_stderr().print(f"Not as in the backup: {name}", style="red")
    for conversation_id in result.damaged:
        on_stderr().print(f"Damaged in the backup, not put back: {conversation_id}", style="red")
