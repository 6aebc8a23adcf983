"""``idol memory rebuild``."""

from __future__ import annotations

import asyncio

from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.progress import progress
from idolchat_cli.render import number_of, on_stdout, print_json
from idolchat_cli.results import Result
from idolchat_memory.feed import rebuild
from idolchat_memory.service import memory_of

__all__ = ["RESULT", "app"]


class Rebuilt(Result):
    """What was indexed anew."""

    conversations: int
    messages: int = Field(description="how many messages the index holds now")


RESULT = Rebuilt

app = new_app()


@app.command("rebuild", epilog=examples("idol memory rebuild"))
def rebuild_index(as_json: AsJson = False) -> None:
    """Build the index anew from the conversations; nothing else is changed, and a server may go on.

    What messages mean is encoded by a server, in the background.
    """
    done = asyncio.run(_rebuilt())
    if as_json:
        print_json(done)
    else:
        what = f"{number_of(done.conversations, 'conversation')}, {number_of(done.messages, 'message')}"
        on_stdout().print(f"Indexed {what}")


async def _rebuilt() -> Rebuilt:
    count = 0
    async with open_conversations(looks_at_all=True) as opened, memory_of(opened.storage) as memory:
        with progress("Indexing", total=None, unit="conversations") as indexing:
            async for _ in rebuild(memory, opened.storage):
                count += 1
                indexing.advance()
        messages = (await memory.index.stats()).messages
    return Rebuilt(conversations=count, messages=messages)
