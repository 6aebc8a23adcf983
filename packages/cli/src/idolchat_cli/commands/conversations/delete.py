"""``idol conversations delete``."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.confirmation import confirm
from idolchat_cli.conversations.filters import Character, Filters, Since, Status, Until, User
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import Opened, open_conversations
from idolchat_cli.options import AsJson, DryRun, Yes
from idolchat_cli.progress import progress
from idolchat_cli.render import number_of, on_stderr, on_stdout, print_json
from idolchat_cli.results import Problem, Result
from idolchat_cli.usage import WrongUsage
from idolchat_core.conversations.user_data import forget_turns
from idolchat_core.errors import ConversationNotFound, StorageError

__all__ = ["RESULT", "app"]


class NotDeleted(Result):
    """A conversation that could not be deleted."""

    id: UUID
    error: Problem


class Deleted(Result):
    """What was deleted."""

    deleted: list[UUID] = Field(description="with --dry-run: what would be")
    missing: list[UUID] = Field(description="named, and not there")
    failed: list[NotDeleted]
    dry_run: bool


RESULT = Deleted

app = new_app()


@app.command(
    epilog=examples(
        "idol conversations delete 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55",
        "idol conversations delete --until 365d --dry-run",
        "idol conversations delete --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e --yes",
    )
)
def delete(
    conversations: Annotated[list[UUID] | None, typer.Argument(metavar="ID", help="Which conversations.")] = None,
    user: User = None,
    character: Character = None,
    since: Since = None,
    until: Until = None,
    status: Status = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete conversations for good.

    Those that are named, or all that the options choose. A reply that is being made in one of them is not kept.
    Exits with 1 if one is missing or cannot be deleted.
    """
    filters = Filters(user=user, character=character, since=since, until=until, status=status)
    if bool(conversations) == filters.is_limited:
        raise WrongUsage("say which: ids of conversations, or options that choose them (--user, --until, ...)")
    result = asyncio.run(_deleted(conversations or (), filters, dry_run=dry_run, yes=yes))
    if as_json:
        print_json(result)
    else:
        _show(result)
    if result.missing or result.failed:
        raise typer.Exit(1)


async def _deleted(named: Sequence[UUID], filters: Filters, *, dry_run: bool, yes: bool) -> Deleted:
    async with open_conversations() as opened:
        chosen = list(dict.fromkeys(named)) or await filters.choose(opened.storage)
        if not chosen:
            return Deleted(deleted=[], missing=[], failed=[], dry_run=dry_run)
        if dry_run:
            there = [one for one in chosen if not named or await _exists(opened, one)]
            missing = sorted(set(chosen) - set(there))
            return Deleted(deleted=there, missing=missing, failed=[], dry_run=True)
        confirm(f"Delete {number_of(len(chosen), 'conversation')} from storage {opened.storage_name}?", yes=yes)
        return await _delete_all(opened, chosen)


async def _exists(opened: Opened, conversation_id: UUID) -> bool:
    try:
        await opened.storage.read_page(conversation_id, limit=1)
    except ConversationNotFound:
        return False
    except StorageError:
        return True
    return True


async def _delete_all(opened: Opened, chosen: Collection[UUID]) -> Deleted:
    result = Deleted(deleted=[], missing=[], failed=[], dry_run=False)
    with progress("Deleting", total=len(chosen), unit="conversations") as deleting:
        for conversation_id in chosen:
            try:
                await opened.storage.delete(conversation_id)
                result.deleted.append(conversation_id)
            except ConversationNotFound:
                result.missing.append(conversation_id)
            except StorageError as error:
                result.failed.append(NotDeleted(id=conversation_id, error=Problem.of(error)))
            deleting.advance()
    await forget_turns(opened.storage, {*result.deleted, *result.missing})
    return result


def _show(result: Deleted) -> None:
    did = "Would delete" if result.dry_run else "Deleted"
    if result.dry_run:
        for conversation_id in result.deleted:
            on_stdout().print(str(conversation_id))
    on_stderr().print(f"{did} {number_of(len(result.deleted), 'conversation')}")
    for conversation_id in result.missing:
        on_stderr().print(f"There is no conversation {conversation_id}", style="red")
    for failure in result.failed:
        on_stderr().print(f"Not deleted: {failure.id}: {failure.error.message}", style="red")
