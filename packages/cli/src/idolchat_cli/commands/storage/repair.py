"""``idol storage repair``."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson, DryRun
from idolchat_cli.progress import progress
from idolchat_cli.render import cell, on_stdout, print_json, show, table
from idolchat_cli.results import Problem, Result
from idolchat_core.errors import ConversationNotFound, StorageError
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.maintenance import Repair

__all__ = ["RESULT", "app"]


class Unmended(Result):
    """A conversation that could not be mended, and why."""

    conversation_id: UUID
    error: Problem


class Repairs(Result):
    """What was mended, or would be."""

    dry_run: bool
    conversations: int = Field(description="how many were looked at")
    repaired: tuple[Repair, ...] = Field(description="those mended; with --dry-run, those that would be")
    unmended: tuple[Unmended, ...]


RESULT = Repairs

app = new_app()


@app.command(
    epilog=examples(
        "idol storage repair --dry-run",
        "idol storage repair",
        "idol storage repair 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55",
    )
)
def repair(
    conversation: Annotated[
        list[UUID] | None, typer.Argument(metavar="[ID]...", help="Conversations to mend; without any, all.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Mend what verify finds; what was there is kept.

    Of a damaged conversation every message stays that can be read; a doubled id, a time out of order and a reference to
    nothing are put right. The bytes that were there before are kept aside, and the result tells where; idol storage gc
    removes them when they are old. Exits with 1 if something could not be mended, or with --dry-run would be.
    """
    result = asyncio.run(_repaired(conversation, dry_run=dry_run))
    if as_json:
        print_json(result)
    else:
        _show(result)
    if result.unmended or (dry_run and result.repaired):
        raise typer.Exit(1)


async def _repaired(chosen: list[UUID] | None, *, dry_run: bool) -> Repairs:
    count = 0
    repaired: list[Repair] = []
    unmended: list[Unmended] = []
    async with open_conversations() as opened:
        storage = opened.storage
        total = len(chosen or await storage.list_ids())
        with progress("Looking", total=total, unit="conversations") as bar:
            async with aclosing(storage.verify(chosen or None)) as verdicts:
                async for verdict in verdicts:
                    count += 1
                    bar.advance()
                    if not verdict.issues:
                        continue
                    outcome = await _mended(storage, verdict.conversation_id, dry_run=dry_run)
                    if isinstance(outcome, Repair):
                        repaired.append(outcome)
                    elif outcome is not None:
                        unmended.append(outcome)
    if chosen and count < len(chosen):
        raise ConversationNotFound(f"{len(chosen) - count} of these conversations are not there")
    return Repairs(dry_run=dry_run, conversations=count, repaired=tuple(repaired), unmended=tuple(unmended))


async def _mended(storage: Storage, conversation_id: UUID, *, dry_run: bool) -> Repair | Unmended | None:
    try:
        outcome = await storage.repair(conversation_id, dry_run=dry_run)
    except ConversationNotFound:
        return None
    except StorageError as error:
        return Unmended(conversation_id=conversation_id, error=Problem.of(error))
    return outcome if outcome.issues else None


def _show(result: Repairs) -> None:
    console = on_stdout()
    rows = [
        [cell(str(one.conversation_id)), cell(issue.code, "yellow"), cell(issue.message), cell(one.kept_as or "")]
        for one in result.repaired
        for issue in one.issues
    ]
    rows += [
        [cell(str(one.conversation_id)), cell("not mended", "red"), cell(one.error.message), cell("")]
        for one in result.unmended
    ]
    if rows:
        show(console, table("CONVERSATION", "FLAW", "WHAT WAS WRONG", "KEPT AS", rows=rows))
        console.print()
    done = "would be mended" if result.dry_run else "mended"
    rest = f", {len(result.unmended):,} cannot be" if result.unmended else ""
    console.print(f"{result.conversations:,} conversations looked at, {len(result.repaired):,} {done}{rest}")
