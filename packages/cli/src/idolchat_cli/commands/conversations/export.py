"""``idol conversations export``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.conversations.exporting.forms import TEXT_FORMS, Form, form_of, manifest
from idolchat_cli.conversations.exporting.reading import read_documents
from idolchat_cli.conversations.exporting.writers import Writer, folder_writer, open_writer
from idolchat_cli.conversations.filters import Character, Filters, Since, Status, Until, User
from idolchat_cli.files import STANDARD, check_output, open_output
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import Opened, open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.progress import progress
from idolchat_cli.render import number_of, on_stderr, print_json
from idolchat_cli.results import Result
from idolchat_cli.usage import WrongUsage

__all__ = ["RESULT", "app"]


class Exported(Result):
    """What was written."""

    path: str
    conversations: int
    size_bytes: int = Field(description="of the documents, before an archive makes them smaller")
    damaged: list[UUID] = Field(description="of these, only what can be read was written, or nothing")
    missing: list[UUID] = Field(description="named, and not there")


RESULT = Exported

app = new_app()


@app.command(
    epilog=examples(
        "idol conversations export -o backup.tar.gz",
        "idol conversations export --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e -o ann.jsonl",
        "idol conversations export 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55 --format markdown | less",
        "idol conversations export -o letters/ --format markdown",
    )
)
def export(
    conversations: Annotated[
        list[UUID] | None, typer.Argument(metavar="ID", help="Which conversations; without any, all of them.")
    ] = None,
    user: User = None,
    character: Character = None,
    since: Since = None,
    until: Until = None,
    status: Status = None,
    target: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="PATH", help="A file, or a folder for a file each; - is standard output."
        ),
    ] = str(STANDARD),
    form: Annotated[
        Form | None, typer.Option("--format", help="What to write; else as the name of the file says, or jsonl.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write conversations to files, or to one archive.

    json is the document as it is stored, jsonl one document a line, markdown for people to read; tar, tar.gz and zip
    hold a document each. All but markdown can be imported again, and lose nothing. A file is there only when it is
    complete. Exits with 1 if one of the conversations is damaged or missing; the others are written.
    """
    output = Path(target)
    filters = Filters(user=user, character=character, since=since, until=until, status=status)
    named = list(dict.fromkeys(conversations or ()))
    if named and filters.is_limited:
        raise WrongUsage("give ids of conversations, or options that choose them, not both")
    wanted = form or form_of(output) or (Form.JSON if len(named) == 1 else Form.JSONL)
    is_folder = target.endswith(("/", os.sep)) or (output != STANDARD and output.is_dir())
    _check_form(wanted, is_folder=is_folder, is_one=len(named) == 1)
    if not is_folder:
        check_output(output, is_text=wanted in TEXT_FORMS, replaces=force, as_json=as_json)
    with _opened(output, wanted, is_folder=is_folder) as writer:
        result = asyncio.run(_written(writer, named, filters, str(output)))
    _report(result, as_json=as_json, is_quiet=output == STANDARD and not is_folder)
    if result.damaged or result.missing:
        raise typer.Exit(1)


def _check_form(form: Form, *, is_folder: bool, is_one: bool) -> None:
    if form is Form.JSON and not is_folder and not is_one:
        raise WrongUsage(
            "one .json file holds one conversation: name a folder (ending with /), or use .jsonl, .tar.gz or .zip"
        )
    if is_folder and form not in TEXT_FORMS:
        raise WrongUsage(f"{form} is one file: name it with --output")


@contextmanager
def _opened(output: Path, form: Form, *, is_folder: bool) -> Iterator[Writer]:
    if is_folder:
        yield folder_writer(output, form)
        return
    with open_output(output) as stream, open_writer(form, stream, about=manifest()) as writer:
        yield writer


async def _written(writer: Writer, named: Sequence[UUID], filters: Filters, path: str) -> Exported:
    async with open_conversations() as opened:
        chosen = named or await filters.choose(opened.storage)
        return await _write_all(opened, writer, chosen, path=path, has_named=bool(named))


async def _write_all(
    opened: Opened, writer: Writer, chosen: Collection[UUID], *, path: str, has_named: bool
) -> Exported:
    damaged, missing = list[UUID](), list[UUID]()
    count = size_bytes = 0
    with progress("Exporting", total=len(chosen), unit="conversations") as exporting:
        async with aclosing(read_documents(opened.storage, chosen)) as documents:
            async for one in documents:
                if one.is_damaged:
                    damaged.append(one.conversation_id)
                elif one.data is None and has_named:
                    missing.append(one.conversation_id)
                if one.data is not None:
                    await asyncio.to_thread(writer, one.conversation_id, one.data)
                    count, size_bytes = count + 1, size_bytes + len(one.data)
                exporting.advance()
    return Exported(path=path, conversations=count, size_bytes=size_bytes, damaged=damaged, missing=missing)


def _report(result: Exported, *, as_json: bool, is_quiet: bool) -> None:
    if as_json:
        print_json(result)
    elif not is_quiet:
        on_stderr().print(f"Wrote {number_of(result.conversations, 'conversation')} to {result.path}")
    for conversation_id in result.missing:
        on_stderr().print(f"There is no conversation {conversation_id}", style="red")
    for conversation_id in result.damaged:
        on_stderr().print(f"Damaged: {conversation_id}; idol storage verify tells more", style="red")
