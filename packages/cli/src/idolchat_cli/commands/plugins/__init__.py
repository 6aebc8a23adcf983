"""``idol plugins``: a group that lists where it is given no command."""

from __future__ import annotations

from typing import Annotated

import typer

from idolchat_cli.lazy import Lazy, LazyGroup, examples, new_app
from idolchat_cli.usage import WrongUsage

__all__ = ["app"]


class PluginsGroup(LazyGroup):
    """The commands of ``idol plugins``."""

    lazy = {  # noqa: RUF012  a ClassVar of the base
        "list": Lazy("idolchat_cli.commands.plugins.list", "List the installed plugins and what they add."),
        "info": Lazy("idolchat_cli.commands.plugins.info", "Show everything about one plugin."),
    }


app = new_app(cls=PluginsGroup)


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "idol plugins list",
        "idol plugins info storage-local",
        "idol plugins list --json | jq -r '.[] | select(.error) | .distribution'",
    ),
)
def plugins(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", hidden=True)] = False,
) -> None:
    """Show the installed plugins and what they add.

    Without a command: list.
    """
    if ctx.invoked_subcommand is None:
        from idolchat_cli.commands.plugins.list import list_plugins  # noqa: PLC0415  help is quick without

        list_plugins(as_json=as_json)
    elif as_json:
        raise WrongUsage(f"--json stands behind the command: idol plugins {ctx.invoked_subcommand} --json")
