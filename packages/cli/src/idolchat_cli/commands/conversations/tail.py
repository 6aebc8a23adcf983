"""``idol conversations tail``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.conversations.filters import Character, Filters, User
from idolchat_cli.conversations.following import Heard, Listener
from idolchat_cli.conversations.transcript import show_message
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.render import on_stdout, print_json_line
from idolchat_cli.results import Result
from idolchat_cli.usage import WrongUsage
from idolchat_core.models import Message, StoredId
from idolchat_core.storage.contract import Storage

__all__ = ["RESULT_LINES", "app"]


class NewMessage(Result):
    """A message, and where it is."""

    conversation_id: UUID
    user_id: StoredId | None
    character_id: StoredId | None
    position: int = Field(description="counted from 0")
    message: Message


RESULT_LINES = NewMessage

app = new_app()


@app.command(
    epilog=examples(
        "idol conversations tail",
        "idol conversations tail 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55 --last 3",
        "idol conversations tail --json | jq -r .message.content",
    )
)
def tail(
    conversation: Annotated[
        UUID | None, typer.Argument(metavar="ID", help="Only this conversation.", show_default=False)
    ] = None,
    user: User = None,
    character: Character = None,
    last: Annotated[int, typer.Option(min=0, metavar="N", help="How many earlier ones of a conversation.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show new messages as they are stored.

    A reply is stored when it is complete. Ctrl-C ends it. With --json one object a line.
    """
    filters = Filters(user=user, character=character)
    if conversation is not None and filters.is_limited:
        raise WrongUsage("--user and --character choose among all conversations: leave them out, or the id")
    asyncio.run(_follow(conversation, filters, last, as_json=as_json))


async def _follow(conversation_id: UUID | None, filters: Filters, last: int, *, as_json: bool) -> None:
    async with open_conversations() as opened:
        before: UUID | None = conversation_id
        async with aclosing(_heard(opened.storage, conversation_id, filters, last)) as news:
            async for heard in news:
                if as_json:
                    print_json_line(_described(heard))
                else:
                    _show(heard, before)
                before = heard.conversation.id


def _heard(storage: Storage, conversation_id: UUID | None, filters: Filters, last: int) -> AsyncGenerator[Heard]:
    listener = Listener(storage)
    if conversation_id is None:
        return listener.listen(filters)
    return listener.listen_to(conversation_id, last=last)


def _show(heard: Heard, before: UUID | None) -> None:
    console = on_stdout()
    if heard.conversation.id != before:
        console.rule(str(heard.conversation.id)) if console.is_terminal else console.print(heard.conversation.id)
    show_message(console, heard.message)
    console.file.flush()


def _described(heard: Heard) -> NewMessage:
    conversation = heard.conversation
    return NewMessage(
        conversation_id=conversation.id,
        user_id=conversation.user_id,
        character_id=conversation.character_id,
        position=heard.position,
        message=heard.message,
    )
