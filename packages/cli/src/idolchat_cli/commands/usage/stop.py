"""``idol usage stop``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.printable import printable
from idolchat_core.spending.kill_switch import Stop, stop_spending

__all__ = ["app"]

app = new_app()


@app.command(epilog=examples("idol usage stop", "idol usage stop --reason 'the bill is too high'"))
def stop(
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Told to whoever is refused.")] = None,
) -> None:
    """Stop all spending, also that of a running server.

    A server notices within two seconds: it refuses new turns with 503 and asks no provider; replies that are being made
    are finished. It stays so, through restarts, until idol usage resume.
    """
    stopped = asyncio.run(_stopped(reason))
    typer.echo(printable(f"Spending is stopped since {stopped.since:%Y-%m-%d %H:%M} UTC; idol usage resume ends it"))


async def _stopped(reason: str | None) -> Stop:
    async with open_conversations() as opened:
        return await stop_spending(opened.storage, reason)
