"""``idol conversations delete-message``."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.confirmation import confirm
from idolchat_cli.conversations.message_text import message_id
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson, Yes
from idolchat_cli.render import on_stderr, print_json
from idolchat_cli.results import Result
from idolchat_core.conversations.messages import erase_message
from idolchat_core.models import Message, StoredId

__all__ = ["RESULT", "app"]


class DeletedMessage(Result):
    """What stays of the message."""

    conversation_id: UUID
    id: StoredId
    role: str
    deleted_at: datetime | None = Field(description="when it was deleted, the first time")


RESULT = DeletedMessage

app = new_app()


@app.command(
    "delete-message",
    epilog=examples(
        "idol conversations show 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55 --json | jq -r '.messages[] | .id, .content'",
        "idol conversations delete-message 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55 0199d2c4-7b10-7d21-9c55-6e8f7a6b5c4d",
    ),
)
def delete_message(
    conversation: Annotated[UUID, typer.Argument(metavar="ID", help="Which conversation.")],
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="Which message of it.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete one message for good.

    Its place stays, with what follows it; its text goes from the storage, its copies and indexes, and from mirrors. A
    server that runs notices it with the next message, and forgets events of earlier turns after their time.
    """
    confirm(f"Delete message {message} of conversation {conversation}?", yes=yes)
    left = asyncio.run(_deleted(conversation, message_id(message)))
    if as_json:
        fields = left.model_dump(include={"id", "role", "deleted_at"})
        print_json(DeletedMessage(conversation_id=conversation, **fields))
    else:
        on_stderr().print("Deleted 1 message")


async def _deleted(conversation_id: UUID, chosen: StoredId) -> Message:
    async with open_conversations() as opened:
        return await erase_message(opened.storage, conversation_id, chosen)
