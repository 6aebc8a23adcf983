"""``idol usage resume``."""

from __future__ import annotations

import asyncio

import typer

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_core.spending.kill_switch import resume_spending

__all__ = ["app"]

app = new_app()


@app.command(epilog=examples("idol usage resume"))
def resume() -> None:
    """Resume spending.

    A running server notices within two seconds.
    """
    asyncio.run(_resumed())
    typer.echo("Spending goes on")


async def _resumed() -> None:
    async with open_conversations() as opened:
        await resume_spending(opened.storage)
