"""``idol words``."""

from __future__ import annotations

import asyncio
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
from idolchat_core import Conversation, Storage

__all__ = ["RESULT", "app"]


class Words(Result):
    """How much was written in a conversation."""

    id: UUID
    asked: int = Field(description="words of the user")
    answered: int = Field(description="words of the character")


RESULT = list[Words]

app = new_app()


@app.command(epilog=examples("idol words", "idol words --limit 3 --json"))
def words(
    limit: Annotated[int, typer.Option(min=1, help="How many conversations, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Count the words of each conversation."""
    counted = asyncio.run(_counted(limit))
    if as_json:
        print_json(counted)
    else:
        rows = ([cell(str(one.id)), cell(str(one.asked)), cell(str(one.answered))] for one in counted)
        show(on_stdout(), table("CONVERSATION", "ASKED", "ANSWERED", rows=rows))


async def _counted(limit: int) -> list[Words]:
    async with open_conversations() as opened:
        newest = (await opened.storage.list(limit=limit)).data
        with progress("Counting", total=len(newest), unit="conversations") as counting:
            result = []
            for summary in newest:
                result.append(await _words(opened.storage, summary.id))
                counting.advance()
        return result


async def _words(storage: Storage, conversation_id: UUID) -> Words:
    conversation = await storage.read(conversation_id)
    return Words(id=conversation_id, asked=_number(conversation, "user"), answered=_number(conversation, "assistant"))


def _number(conversation: Conversation, role: str) -> int:
    said = (message.content for message in conversation.messages if message.role == role)
    return sum(len(text.split()) for text in said if isinstance(text, str))
