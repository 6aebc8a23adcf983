"""``idol users export``."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.commands.users.naming import user_meant
from idolchat_cli.conversations.exporting.forms import TEXT_FORMS, Form, form_of, manifest
from idolchat_cli.conversations.exporting.reading import read_documents
from idolchat_cli.conversations.exporting.writers import Archive, open_archive
from idolchat_cli.conversations.filters import Filters
from idolchat_cli.files import STANDARD, check_output, open_output
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import Opened, open_conversations
from idolchat_cli.options import AsJson, parse_id
from idolchat_cli.progress import progress
from idolchat_cli.render import number_of, on_stderr, print_json
from idolchat_cli.results import Result
from idolchat_cli.usage import WrongUsage
from idolchat_core.conversations.user_data import lines_about, records_about
from idolchat_core.storage.contract import Storage

__all__ = ["RESULT", "app"]


class UserExported(Result):
    """What was written about a user."""

    path: str
    user_id: str
    conversations: int
    records: int = Field(description="API keys, turns that are not finished, and what plugins keep")
    log_lines: int = Field(description="such as what was spent")
    plugin_files: int = Field(description="what plugins hold beside the storage")
    damaged: list[UUID] = Field(description="of these, only what can be read was written, or nothing")


RESULT = UserExported

app = new_app()


@app.command(epilog=examples("idol users export 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e -o ann.zip"))
def export(
    user: Annotated[
        str, typer.Argument(metavar="USER", parser=parse_id, help="Id of the user, here or where they come from.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="A .zip, .tar or .tar.gz file; - is standard output, which gets a .tar.gz.",
        ),
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write everything held about a user into one archive.

    conversations/ holds their documents, records/ and logs/ everything else that names the user, plugins/ what
    plugins hold elsewhere. Exits with 1 if a
    conversation is damaged; what can be read of it is written.
    """
    form = Form.TAR_GZ if output == STANDARD else form_of(output)
    if form is None or form in TEXT_FORMS:
        raise WrongUsage(f"{output}: the archive is a .zip, .tar or .tar.gz file")
    check_output(output, is_text=False, replaces=force, as_json=as_json)
    with open_output(output) as stream, open_archive(form, stream, about=manifest()) as archive:
        result = asyncio.run(_written(archive, user, str(output)))
    if as_json:
        print_json(result)
    else:
        what = f"{number_of(result.conversations, 'conversation')}, {number_of(result.records, 'record')}"
        on_stderr().print(f"Wrote {what} and {number_of(result.log_lines, 'log line')} to {output}")
    if result.damaged:
        raise typer.Exit(1)


async def _written(archive: Archive, user: str, path: str) -> UserExported:
    async with open_conversations(looks_at_all=True) as opened:
        user = await user_meant(opened.storage, user)
        count, damaged = await _conversations(archive, opened.storage, user)
        records = lines = 0
        async for record in records_about(opened.storage, user):
            archive.add_file(f"records/{record.namespace}/{record.name}", record.value)
            records += 1
        async for log in lines_about(opened.storage, user):
            archive.add_file(f"logs/{log.namespace}/{log.name}.jsonl", b"".join(line + b"\n" for line in log.lines))
            lines += len(log.lines)
        files = await _of_plugins(archive, opened, user)
    return UserExported(
        path=path,
        user_id=user,
        conversations=count,
        records=records,
        log_lines=lines,
        plugin_files=files,
        damaged=damaged,
    )


async def _of_plugins(archive: Archive, opened: Opened, user: str) -> int:
    count = 0
    registry = opened.plugins.user_data
    for name in registry:
        async with registry.get(name)(opened.storage) as held, aclosing(held.export(user)) as files:
            async for file in files:
                archive.add_file(f"plugins/{name}/{file.name}", file.data)
                count += 1
    return count


async def _conversations(archive: Archive, storage: Storage, user: str) -> tuple[int, list[UUID]]:
    chosen = await Filters(user=user).choose(storage)
    count, damaged = 0, list[UUID]()
    with progress("Exporting", total=len(chosen), unit="conversations") as exporting:
        async with aclosing(read_documents(storage, chosen)) as documents:
            async for one in documents:
                if one.is_damaged:
                    damaged.append(one.conversation_id)
                if one.data is not None:
                    archive.add_file(f"conversations/{one.conversation_id}.json", one.data)
                    count += 1
                exporting.advance()
    return count, damaged
