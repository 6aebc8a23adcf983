"""``idol storage verify``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.progress import progress
from idolchat_cli.render import cell, on_stdout, print_json, show, table
from idolchat_cli.results import Result
from idolchat_core.errors import ConversationNotFound
from idolchat_core.mirror import Difference, MirroredStorage, compare
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.maintenance import VerificationResult, damaged_records

__all__ = ["RESULT", "app", "flaw_rows"]


class Verification(Result):
    """What was read, and what is wrong with it."""

    conversations: int = Field(description="how many were read")
    messages: int = Field(description="how many messages can be read in them")
    flawed: tuple[VerificationResult, ...] = Field(description="those with which something is wrong")
    damaged_records: tuple[str, ...] = Field((), description="records that cannot be read, as `namespace/name`")
    differing: tuple[Difference, ...] = Field((), description="those that are not the same in a mirror")


RESULT = Verification

app = new_app()


@app.command(epilog=examples("idol storage verify", "idol storage verify --json | jq -r '.flawed[].conversation_id'"))
def verify(
    conversation: Annotated[
        list[UUID] | None, typer.Argument(metavar="[ID]...", help="Conversations to read; without any, all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read everything and report what is wrong.

    Checks that every document can be read, that message ids are unique, times in order, references right, and that the
    index agrees; that records of mirrored namespaces can be read; and that every mirror holds the same. Changes
    nothing. Exits with 1 if something is wrong: idol storage repair mends what is flawed, idol storage sync what
    differs, and records that a mirror has.
    """
    result = asyncio.run(_verified(conversation))
    if as_json:
        print_json(result)
    else:
        _show(result)
    if result.flawed or result.damaged_records or result.differing:
        raise typer.Exit(1)


async def _verified(chosen: list[UUID] | None) -> Verification:
    conversations = messages = 0
    flawed: list[VerificationResult] = []
    async with open_conversations() as opened:
        total = len(chosen or await opened.storage.list_ids())
        with progress("Verifying", total=total, unit="conversations") as bar:
            async for verdict in opened.storage.verify(chosen or None):
                conversations += 1
                messages += verdict.message_count
                bar.advance()
                if verdict.issues:
                    flawed.append(verdict)
        if chosen and conversations < len(chosen):
            raise ConversationNotFound(f"{len(chosen) - conversations} of these conversations are not there")
        namespaces = () if chosen else opened.plugins.mirrored_records
        damaged = [str(key) async for key in damaged_records(opened.storage, namespaces)]
        differing = [difference async for difference in _differing(opened.storage, chosen)]
    return Verification(
        conversations=conversations,
        messages=messages,
        flawed=tuple(flawed),
        damaged_records=tuple(damaged),
        differing=tuple(differing),
    )


async def _differing(storage: Storage, chosen: list[UUID] | None) -> AsyncGenerator[Difference]:
    if not isinstance(storage, MirroredStorage):
        return
    for mirror in storage.mirrors:
        with progress(f"Comparing with {mirror.name}", unit="conversations") as bar:
            async for bar.done, bar.total, difference in compare(storage, mirror, chosen or None):
                if difference is not None:
                    yield difference


def flaw_rows(verdict: VerificationResult) -> list[list[str]]:
    """Write the flaws of a conversation as rows."""
    return [
        [str(verdict.conversation_id), issue.code, issue.message, f"{verdict.message_count:,}"]
        for issue in verdict.issues
    ]


def _show(result: Verification) -> None:
    console = on_stdout()
    if result.flawed:
        rows = [
            [cell(name), cell(code, "red"), cell(readable), cell(message)]
            for verdict in result.flawed
            for name, code, message, readable in flaw_rows(verdict)
        ]
        show(console, table("CONVERSATION", "FLAW", "READABLE", "WHAT IS WRONG", rows=rows))
        console.print()
    for record in result.damaged_records:
        console.print(f"record {record} cannot be read: idol storage sync gets it from a mirror, idol restore a backup")
    if result.differing:
        differences = ([cell(str(one.subject)), cell(one.mirror), cell(one.kind, "red")] for one in result.differing)
        show(console, table("CONVERSATION OR RECORD", "MIRROR", "DIFFERENCE", rows=differences))
        console.print(f"\n{len(result.differing):,} differ from a mirror; idol storage sync mends it")
    count = len(result.flawed)
    console.print(
        f"{result.conversations:,} conversations with {result.messages:,} messages:"
        f" {'nothing is wrong' if not count else f'something is wrong with {count:,}; idol storage repair mends it'}"
    )
