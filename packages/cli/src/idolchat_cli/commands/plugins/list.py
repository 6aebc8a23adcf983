"""``idol plugins list``."""

from __future__ import annotations

import typer
from rich.text import Text

from idolchat_cli.commands.plugins.described import PluginInfo, describe
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.loading import load_everything
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, on_stderr, on_stdout, print_json, show, table
from idolchat_core.settings import CoreSettings, read_settings

__all__ = ["RESULT", "app", "list_plugins"]

RESULT = list[PluginInfo]

app = new_app()


@app.command(
    "list",
    epilog=examples("idol plugins list", "idol plugins list --json | jq -r '.[] | select(.error) | .distribution'"),
)
def list_plugins(as_json: AsJson = False) -> None:
    """List the installed plugins and what they add.

    Exits with 1 if one of them cannot be used; it says why. IDOLCHAT_PLUGINS limits which are loaded.
    """
    settings = read_settings(CoreSettings)
    found = load_everything(only=settings.plugins)
    described = [describe(plugin, found) for plugin in found.plugins.loaded]
    if as_json:
        print_json(described)
    else:
        _show(described, only=settings.plugins)
    if any(plugin.error for plugin in described):
        raise typer.Exit(1)


def _show(described: list[PluginInfo], *, only: tuple[str, ...] | None) -> None:
    if described:
        rows = (
            [cell(plugin.name), cell(plugin.distribution or ""), cell(plugin.version or ""), _adds(plugin)]
            for plugin in described
        )
        names = ("PLUGIN", "DISTRIBUTION", "VERSION")
        show(on_stdout(), table(*names, "ADDS", rows=rows, unbroken=names))
    else:
        on_stderr().print("No plugins. For the first: pip install idolchat-storage-local idolchat-llm-openrouter")
    if only is not None:
        on_stderr().print(f"IDOLCHAT_PLUGINS limits them to: {', '.join(only) or 'none'}")


def _adds(plugin: PluginInfo) -> Text:
    if plugin.error:
        return cell(plugin.error.message, "red")
    return cell(", ".join(plugin.parts))
