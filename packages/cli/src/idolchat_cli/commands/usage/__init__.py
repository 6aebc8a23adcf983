"""``idol usage``: what was spent, and the switch that stops it."""

from __future__ import annotations

from typing import Annotated

import typer

from idolchat_cli.lazy import Lazy, LazyGroup, examples, new_app

__all__ = ["app"]


class UsageGroup(LazyGroup):
    """The commands of ``idol usage``."""

    lazy = {  # noqa: RUF012  a ClassVar of the base
        "show": Lazy("idolchat_cli.commands.usage.show", "Show what was spent, and what is left of the budgets."),
        "stop": Lazy("idolchat_cli.commands.usage.stop", "Stop all spending, also that of a running server."),
        "resume": Lazy("idolchat_cli.commands.usage.resume", "Resume spending."),
    }


app = new_app(cls=UsageGroup)


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "idol usage",
        "idol usage show --by user --month 2026-11",
        "idol usage show --by model --json | jq .total.cost",
        "idol usage stop --reason 'the bill is too high'",
    ),
)
def usage(ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", hidden=True)] = False) -> None:
    """Show what was spent, and stop or resume spending.

    Without a command: show.
    """
    if ctx.invoked_subcommand is None:
        from idolchat_cli.commands.usage.show import show_usage  # noqa: PLC0415  help is quick without

        show_usage(as_json=as_json)
