"""``idol chat``."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated
from uuid import UUID

import typer

from idolchat_cli.chatting.pipe import read_message
from idolchat_cli.chatting.session import Choices, hold
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.usage import WrongUsage

__all__ = ["app"]

app = new_app()


@app.command(
    epilog=examples(
        "idol chat",
        "idol chat --system 'You are Mika, a cheerful singer.'",
        "idol chat --character mika",
        "idol chat --conversation 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55",
        "echo 'Say hello in French.' | idol chat > reply.txt",
    )
)
def chat(
    conversation: Annotated[
        UUID | None, typer.Option("--conversation", "-c", metavar="ID", help="Go on with this conversation.")
    ] = None,
    user: Annotated[UUID | None, typer.Option(metavar="ID", help="Who talks.")] = None,
    character: Annotated[
        str | None, typer.Option(metavar="ID|SLUG", help="Whom to talk to; she speaks first, if she has a greeting.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Which model answers.")] = None,
    system: Annotated[
        str | None,
        typer.Option("--system", "-s", metavar="TEXT", help="Instructions for every prompt; they are not stored."),
    ] = None,
) -> None:
    """Talk in the terminal, without a server or with the one on this data.

    Where a server runs on the data folder, it answers, and its turns and these wait for each other. Every message is
    stored before it is answered. Ctrl-C stops a reply and keeps what was said; Ctrl-C again, or Ctrl-D, leaves. /help
    lists what else can be done: /retry, /regenerate, /edit, /greeting, /new, /model, /quit. What comes through a pipe
    is one message, and its reply goes to standard output.
    """
    about = {"user_id": user, "character_id": _known_id(conversation, character), "model": model}
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    choices = Choices(
        conversation_id=conversation,
        system=system,
        character=character if conversation is None else None,
        about={name: value for name, value in about.items() if value is not None},
        message=None if is_terminal else read_message(),
    )
    raise typer.Exit(asyncio.run(hold(choices)))


def _known_id(conversation: UUID | None, character: str | None) -> UUID | None:
    """Return the character that a conversation which goes on must be with. Raises ``WrongUsage`` for a slug."""
    if conversation is None or character is None:
        return None
    try:
        return UUID(character)
    except ValueError:
        raise WrongUsage("--character: a conversation that goes on has its character; leave it out") from None
