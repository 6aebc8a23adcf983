"""``idol backup``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.backups.archive import files_of, open_backup
from idolchat_cli.backups.writing import Written, write_backup
from idolchat_cli.files import STANDARD, check_output, open_output
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.render import number_of, on_stderr, print_json
from idolchat_cli.results import Result

__all__ = ["RESULT", "app"]


class BackedUp(Result):
    """What a backup holds."""

    path: str
    size_bytes: int
    conversations: int
    records: int = Field(description="API keys, running turns, and what plugins keep")
    logs: int = Field(description="the ledger of paid calls, by day, and other logs")
    damaged: list[UUID] = Field(description="conversations that cannot be read; their bytes are in the backup")
    damaged_records: list[str] = Field([], description="records of plugins that cannot be read; they are not in it")


RESULT = BackedUp

app = new_app()


@app.command(
    epilog=examples(
        "idol backup backup.tar.gz",
        "idol backup /mnt/backups/$(date +%F).tar.gz",
        "idol backup - | ssh nas 'cat > idol.tar.gz'",
    )
)
def backup(
    output: Annotated[
        Path, typer.Argument(metavar="FILE", help="The archive to write, a .tar.gz; - is standard output.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Back up all that the storage holds: conversations, keys, ledger, records.

    A server may run meanwhile. The file is there only when it is complete, it is read again and compared with its
    checksums, and only this user can read it: it holds what people said. Settings and .env are not in it. Exits with 1
    if a conversation is damaged, whose bytes are in the backup, or a record, which is not. What is written to standard
    output is not read again; idol restore finds where it is not whole.
    """
    check_output(output, is_text=False, replaces=force, as_json=as_json)
    written = asyncio.run(_write(output))
    result = BackedUp(
        path=str(output),
        size_bytes=0 if output == STANDARD else _size_of_whole(output),
        conversations=written.conversations,
        records=written.records,
        logs=written.logs,
        damaged=written.damaged,
        damaged_records=written.damaged_records,
    )
    _show(result, as_json=as_json)
    if result.damaged or result.damaged_records:
        raise typer.Exit(1)


def _size_of_whole(output: Path) -> int:
    with output.open("rb") as stream:
        for _ in files_of(stream, str(output)):  # raises where the disk has not kept what was written
            pass
    return output.stat().st_size


async def _write(output: Path) -> Written:
    async with open_conversations() as opened:
        with open_output(output) as stream, open_backup(stream, storage_name=opened.storage_name) as archive:
            return await write_backup(opened.storage, archive, records=list(opened.plugins.mirrored_records))


def _show(result: BackedUp, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        read_again = "" if result.path == str(STANDARD) else f" to {result.path}, and read them again"
        on_stderr().print(
            f"Wrote {number_of(result.conversations, 'conversation')}, {number_of(result.records, 'record')} and"
            f" {number_of(result.logs, 'log')}{read_again}"
        )
    for conversation_id in result.damaged:
        on_stderr().print(f"Damaged: {conversation_id}; idol storage verify tells more", style="red")
    for record in result.damaged_records:
        on_stderr().print(f"Not in it: record {record}, which cannot be read", style="red")
