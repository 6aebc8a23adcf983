"""``idol config show``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from idolchat_cli.checks.variables import warn_of_unread
from idolchat_cli.configured import Setting, all_settings
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.loading import load_everything
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, on_stderr, on_stdout, print_json, show, table
from idolchat_core.dotenv_file import check_dotenv
from idolchat_core.errors import ConfigurationError, PluginError
from idolchat_core.settings import CoreSettings, read_settings

__all__ = ["RESULT", "app"]

RESULT = list[Setting]

WIDE = 110
"""Columns that are enough to say of each which package reads it."""

app = new_app()


@app.command(
    "show",
    epilog=examples(
        "idol config show",
        "idol config show --set",
        "idol config show --json | jq -r '.[] | select(.source != \"default\") | .variable'",
    ),
)
def show_settings(
    only_set: Annotated[bool, typer.Option("--set", help="Only those that are set.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show each setting, its value and where it comes from.

    Of core, the server and every plugin that is loaded. The environment goes before .env in the working folder. What
    is secret is masked. What looks like a setting and is read by nothing is told on standard error. Exits with 1 if one
    that is set is wrong; what a package lacks that is not set up is no error.
    """
    check_dotenv(frozenset())
    _import_everything()
    settings = [one for one in all_settings() if not only_set or one.source != "default"]
    if as_json:
        print_json(settings)
    else:
        _show(settings)
    warn_of_unread()
    if any(one.error and one.source != "default" for one in settings):
        raise typer.Exit(1)


def _import_everything() -> None:
    """Import the plugins that are chosen, or all of them where that cannot be read."""
    try:
        load_everything(only=read_settings(CoreSettings).plugins)
    except (ConfigurationError, PluginError):
        load_everything(only=None)


def _show(settings: Sequence[Setting]) -> None:
    if not settings:
        on_stderr().print("Nothing is set: all is as it comes.")
        return
    console = on_stdout()
    has_room = console.width >= WIDE
    headings = ["VARIABLE", "FROM", *(["PACKAGE"] if has_room else []), "VALUE"]
    rows = (
        [cell(one.variable), cell(one.source), *([cell(one.package)] if has_room else []), _value(one)]
        for one in settings
    )
    show(console, table(*headings, rows=rows, unbroken=("VARIABLE", "FROM", "PACKAGE")))


def _value(one: Setting) -> Text:
    if one.error:
        return cell(one.error, "dim" if one.source == "default" else "red")
    if one.value is None or one.value == []:
        return cell("-", "dim")
    text = ",".join(map(str, one.value)) if isinstance(one.value, list) else str(one.value)
    return cell(text.lower() if isinstance(one.value, bool) else text, "" if one.source == "default" else "bold")
