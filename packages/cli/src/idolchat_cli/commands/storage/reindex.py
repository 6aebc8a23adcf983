"""``idol storage reindex``."""

from __future__ import annotations

import asyncio
import time

from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.progress import progress
from idolchat_cli.render import on_stdout, print_json
from idolchat_cli.results import Result

__all__ = ["RESULT", "app"]


class Reindexing(Result):
    """What was indexed."""

    conversations: int = Field(description="how many were read; 0 where the storage keeps no index")
    seconds: float


RESULT = Reindexing

app = new_app()


@app.command(epilog=examples("idol storage reindex", "idol storage reindex --json"))
def reindex(as_json: AsJson = False) -> None:
    """Rebuild the indexes of lists and search from the conversations.

    Nothing is lost by it, and everything goes on meanwhile. An index that is missing or broken is made anew without
    being asked; this is for one that is not to be trusted, and to have search ready before it is needed.
    """
    result = asyncio.run(_reindexed())
    if as_json:
        print_json(result)
    elif result.conversations:
        on_stdout().print(f"{result.conversations:,} conversations indexed in {result.seconds:.1f} s")
    else:
        on_stdout().print("nothing to index")


async def _reindexed() -> Reindexing:
    begun = time.perf_counter()
    done = 0
    async with open_conversations() as opened:
        total = len(await opened.storage.list_ids())
        with progress("Indexing", total=total, unit="conversations") as bar:
            async for done in opened.storage.reindex():
                bar.done = done
    return Reindexing(conversations=done, seconds=round(time.perf_counter() - begun, 3))
