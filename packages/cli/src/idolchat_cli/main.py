"""The entrance: ``idol``."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import Annotated

import typer

import idolchat_cli
from idolchat_cli.lazy import Lazy, LazyGroup, examples, new_app
from idolchat_cli.logs import show_logs
from idolchat_cli.printable import printable

__all__ = ["IdolGroup", "app", "main"]


class IdolGroup(LazyGroup):
    """The commands of ``idol``."""

    lazy = {  # noqa: RUF012  a ClassVar of the base
        "serve": Lazy("idolchat_cli.commands.serve", "Serve conversations over HTTP and WebSocket."),
        "chat": Lazy("idolchat_cli.commands.chat", "Talk in the terminal, without a server."),
        "plugins": Lazy("idolchat_cli.commands.plugins", "List the installed plugins and what they add."),
        "doctor": Lazy("idolchat_cli.commands.doctor", "Check the installation and say how to mend it."),
    }


@dataclass(slots=True)
class Run:
    """One run of the command line, which ``ctx.obj`` gives to every command."""

    debug: bool = False


app = new_app(
    cls=IdolGroup, add_completion=True, no_args_is_help=True, context_settings={"help_option_names": ["--help", "-h"]}
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"idol {idolchat_cli.__version__}")
        raise typer.Exit


@app.callback(
    epilog=examples(
        "idol serve                 serve http://127.0.0.1:8000",
        "idol chat                  talk here, without a server",
        "idol doctor                find out what keeps it from working",
        "idol chat --help           options and examples of a command",
    )
)
def idol(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and log everything.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Talk to characters, serve them to others, and look after their conversations.

    Settings are read from the environment and from .env in the working folder.
    """
    ctx.obj.debug = debug
    show_logs(debug=debug)


def main() -> None:
    """Run the command line and exit: 0 good, 1 a problem, 2 wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character must not cut a reply
    run = Run()
    try:
        app(obj=run)
    except Exception as error:  # the last to see it, whatever it is
        if run.debug:
            raise
        sys.exit(printable(f"Error: {_explained(error)}"))


def _explained(error: Exception) -> str:
    from idolchat_core.errors import IdolchatError  # noqa: PLC0415  half of a start, and seldom needed

    if isinstance(error, IdolchatError):
        return str(error)
    return f"unexpected {type(error).__name__}: {error}\nFor the traceback: idol --debug {' '.join(sys.argv[1:2])} ..."
