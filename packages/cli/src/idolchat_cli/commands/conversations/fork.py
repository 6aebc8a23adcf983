"""``idol conversations fork``."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.conversations.message_text import message_id
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson, DryRun
from idolchat_cli.render import on_stdout, print_json
from idolchat_cli.results import Result
from idolchat_core.conversations.branches import copied, fork
from idolchat_core.models import StoredId

__all__ = ["RESULT", "app"]


class Forked(Result):
    """The new conversation."""

    id: UUID | None = Field(description="its id; null with --dry-run")
    forked_from: UUID
    messages: int = Field(description="how many it begins with")
    dry_run: bool


RESULT = Forked

app = new_app()


@app.command(
    "fork",
    epilog=examples(
        "idol conversations fork 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55",
        "idol chat -c $(idol conversations fork 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55 --json | jq -r .id)",
    ),
)
def fork_conversation(
    conversation: Annotated[UUID, typer.Argument(metavar="ID", help="Which conversation.")],
    upto: Annotated[
        str | None, typer.Option(metavar="MESSAGE", help="Up to this message, and not to the end of the active branch.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Begin a new conversation with the messages of another.

    It has the same user and characters, lorebooks of its own that are as those of the other, and messages with ids of
    their own; the other stays as it is.
    """
    forked = asyncio.run(_forked(conversation, upto and message_id(upto), dry_run=dry_run))
    if as_json:
        print_json(forked)
    elif dry_run:
        on_stdout().print(f"Would begin a conversation with {forked.messages} messages")
    else:
        on_stdout().print(f"Began conversation {forked.id} with {forked.messages} messages")


async def _forked(conversation_id: UUID, upto: StoredId | None, *, dry_run: bool) -> Forked:
    async with open_conversations() as opened:
        if dry_run:
            copy = copied(await opened.storage.read(conversation_id), upto=upto)
        else:
            copy = await fork(opened.storage, conversation_id, plugins=opened.plugins, upto=upto)
    return Forked(
        id=None if dry_run else copy.id, forked_from=conversation_id, messages=len(copy.messages), dry_run=dry_run
    )
