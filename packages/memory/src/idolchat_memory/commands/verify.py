"""``idol memory verify``."""

from __future__ import annotations

import asyncio
from uuid import UUID

import typer
from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.progress import progress
from idolchat_cli.render import number_of, on_stderr, on_stdout, print_json
from idolchat_cli.results import Result
from idolchat_memory.feed import compare
from idolchat_memory.service import memory_of

__all__ = ["RESULT", "app"]


class IndexVerification(Result):
    """How the index agrees with itself and with the conversations."""

    conversations: int = Field(description="how many were looked at")
    problems: list[str] = Field(description="what does not agree in the index itself")
    differing: list[UUID] = Field(description="conversations of which the index holds something else than is stored")


RESULT = IndexVerification

app = new_app()


@app.command("verify", epilog=examples("idol memory verify", "idol memory verify --json"))
def verify(as_json: AsJson = False) -> None:
    """Check that the index agrees with itself and with the conversations.

    Beside a running server, what was said in the last second may not be there yet. Exits with 1 if something differs:
    `idol memory rebuild` mends it.
    """
    found = asyncio.run(_verified())
    if as_json:
        print_json(found)
    else:
        on_stdout().print(f"Looked at {number_of(found.conversations, 'conversation')}")
        for problem in found.problems:
            on_stderr().print(problem, style="red")
        for conversation_id in found.differing:
            on_stderr().print(f"{conversation_id} is indexed otherwise than it is stored", style="red")
    if found.problems or found.differing:
        raise typer.Exit(1)


async def _verified() -> IndexVerification:
    differing, count = [], 0
    async with open_conversations(looks_at_all=True) as opened, memory_of(opened.storage) as memory:
        problems = list(await memory.index.verify())
        with progress("Comparing", total=None, unit="conversations") as comparing:
            async for conversation_id, is_same in compare(memory, opened.storage):
                count += 1
                comparing.advance()
                if not is_same:
                    differing.append(conversation_id)
    return IndexVerification(conversations=count, problems=problems, differing=differing)
