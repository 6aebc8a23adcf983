"""The entrance: ``idol``."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

import idolchat_cli
from idolchat_cli.commands import COMMANDS
from idolchat_cli.lazy import LazyGroup, examples, new_app
from idolchat_cli.logs import show_logs
from idolchat_cli.printable import printable
from idolchat_cli.standard_output import StandardOutputError, standard_output

if TYPE_CHECKING:
    from typer._click import Command, Context

__all__ = ["IdolGroup", "app", "main"]


class IdolGroup(LazyGroup):
    """The commands of ``idol``: its own, and those of plugins where they are wanted."""

    lazy = COMMANDS

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._is_extended = False

    def list_commands(self, ctx: Context) -> list[str]:
        """List all commands, for help and completion."""
        self._extend(ctx)
        return super().list_commands(ctx)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find a command; plugins are asked only for a name that is none of ours."""
        if args[0] not in COMMANDS:
            self._extend(ctx)
        return super().resolve_command(ctx, args)

    def _extend(self, ctx: Context) -> None:
        if self._is_extended:
            return
        self._is_extended = True
        from idolchat_cli.extensions import find_extensions  # noqa: PLC0415  it searches what is installed

        found = find_extensions()
        for name, command in found.commands.items():
            self.offer(name, command)
        if not ctx.resilient_parsing:  # completion says nothing
            for problem in found.problems:
                typer.echo(f"Warning: {' '.join(printable(problem).split())}", err=True)


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
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="replace")  # as standard output
    run = Run()
    try:
        with standard_output():
            app(obj=run)
    except Exception as error:  # the last to see it, whatever it is
        if run.debug:
            raise
        sys.exit(printable(f"Error: {_explained(error)}"))


def _explained(error: Exception) -> str:
    from idolchat_core.errors import IdolchatError  # noqa: PLC0415  half of a start, and seldom needed

    if isinstance(error, IdolchatError):
        return str(error)
    if isinstance(error, StandardOutputError):
        return f"standard output cannot be written: {error.strerror}"
    return f"unexpected {type(error).__name__}: {error}\nFor the traceback: idol --debug {' '.join(sys.argv[1:2])} ..."
