"""``idol memory stats``."""

from __future__ import annotations

import asyncio

from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.render import number_of, on_stdout, print_json
from idolchat_cli.results import Result
from idolchat_memory.service import memory_of

__all__ = ["RESULT", "app"]


class IndexStats(Result):
    """What the index holds."""

    scopes: int = Field(description="pairs of a user and a character")
    conversations: int
    messages: int
    encoded_messages: int = Field(description="those that are found by meaning, too")
    size_bytes: int
    semantic: bool = Field(description="whether meaning counts beside words")
    lexical_reason: str | None = Field(description="why it does not")


RESULT = IndexStats

app = new_app()


@app.command("stats", epilog=examples("idol memory stats", "idol memory stats --json"))
def show_stats(as_json: AsJson = False) -> None:
    """Count what is indexed, and tell whether meaning counts beside words."""
    stats = asyncio.run(_stats())
    if as_json:
        print_json(stats)
        return
    console = on_stdout()
    console.print(
        f"{number_of(stats.messages, 'message')} of {number_of(stats.conversations, 'conversation')}"
        f" in {number_of(stats.scopes, 'scope')}, {stats.size_bytes:,} bytes"
    )
    how = "by meaning, too" if stats.semantic else f"by words alone: {stats.lexical_reason}"
    console.print(f"{number_of(stats.encoded_messages, 'message')} encoded; found {how}")


async def _stats() -> IndexStats:
    async with open_conversations() as opened, memory_of(opened.storage) as memory:
        counted = (await memory.index.stats())._asdict()
        return IndexStats(**counted, semantic=memory.model is not None, lexical_reason=memory.lexical_reason)
