"""``idol users erase``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from idolchat_cli.commands.users.naming import user_meant
from idolchat_cli.confirmation import confirm
from idolchat_cli.erasure import Erasure, Receipt
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson, DryRun, Yes, parse_id
from idolchat_cli.render import number_of, on_stderr, on_stdout, print_json
from idolchat_core.mirror import MirrorMode

__all__ = ["RESULT", "app"]

RESULT = Receipt

app = new_app()


@app.command(
    epilog=examples(
        "idol users erase 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e --dry-run",
        "idol users erase 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e --yes --json > receipt.json",
    )
)
def erase(
    user: Annotated[
        str, typer.Argument(metavar="USER", parser=parse_id, help="Id of the user, here or where they come from.")
    ],
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Erase everything held about a user, in mirrors too.

    Prints a receipt: what was erased, where and when, and what is still to come. A mirror that cannot be reached is
    told as soon as it can be, by a server that runs. What was spent stays in the accounts, which hold no text.
    Exits with 1 while something is left: repeat it then.
    """
    receipt = asyncio.run(_erased(user, dry_run=dry_run, yes=yes))
    if as_json:
        print_json(receipt)
    else:
        _show(receipt)
    if not receipt.is_complete and not dry_run:
        raise typer.Exit(1)


async def _erased(user: str, *, dry_run: bool, yes: bool) -> Receipt:
    async with open_conversations(mode=MirrorMode.RECORD if dry_run else MirrorMode.PUSH, looks_at_all=True) as opened:
        user = await user_meant(opened.storage, user)
        erasure = Erasure(opened, user)
        found = await erasure.look()
        if dry_run:
            return found
        if not (found.conversations or found.records or list(opened.plugins.user_data)):
            return found.model_copy(update={"dry_run": False})
        what = f"{number_of(len(found.conversations), 'conversation')} and {number_of(len(found.records), 'record')}"
        places = ", ".join((*found.storages, *opened.plugins.user_data))
        confirm(f"Erase {what} of user {user} from {places}?", yes=yes)
        return await erasure.erase(found)


def _show(receipt: Receipt) -> None:
    console = on_stdout()
    did = "Would erase" if receipt.dry_run else "Erased"
    what = f"{number_of(len(receipt.conversations), 'conversation')} and {number_of(len(receipt.records), 'record')}"
    console.print(f"{did} {what} of user {receipt.user_id} from {', '.join(receipt.storages)}")
    for erased in receipt.plugins:
        if erased.count:
            console.print(f"Erased {erased.count} of what {erased.plugin} holds")
    for kept in receipt.kept:
        console.print(f"Kept: {number_of(kept.lines, 'line')} of {kept.namespace}: {kept.reason}")
    for left in receipt.left:
        on_stderr().print(f"Still in {left.storage}: {left.what}: {left.reason}", style="red")
