"""``idol plugins``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.render import cell, on_stderr, on_stdout, print_json, show, table
from idolchat_core.plugins import LoadedPlugin, Plugins, load_plugins
from idolchat_core.settings import CoreSettings, read_settings

__all__ = ["app"]

app = new_app()


@app.command(epilog=examples("idol plugins", "idol plugins --json | jq -r '.[] | select(.error) | .distribution'"))
def plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead of a table.")] = False,
) -> None:
    """List the installed plugins and what they add.

    Exits with 1 if one of them cannot be used; it says why. IDOLCHAT_PLUGINS limits which are loaded.
    """
    settings = read_settings(CoreSettings)
    found = load_plugins(only=settings.plugins, strict=False)
    described = [describe(plugin, found) for plugin in found.loaded]
    if as_json:
        print_json(described)
    else:
        _show(described, only=settings.plugins)
    if any(plugin["error"] for plugin in described):
        raise typer.Exit(1)


def describe(plugin: LoadedPlugin, found: Plugins) -> dict[str, Any]:
    """Describe a plugin in JSON values: what it is, what it adds, why it cannot be used."""
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "hooks": list(plugin.hooks),
        "storages": [name for name in found.storages if found.storages.origin(name) == str(plugin)],
        "llm_providers": [name for name in found.llm_providers if found.llm_providers.origin(name) == str(plugin)],
        "error": plugin.error and {"code": plugin.error.code, "message": str(plugin.error)},
    }


def _show(described: list[dict[str, Any]], *, only: tuple[str, ...] | None) -> None:
    if described:
        rows = (
            [cell(plugin["name"]), cell(plugin["distribution"] or ""), cell(plugin["version"] or ""), _adds(plugin)]
            for plugin in described
        )
        show(on_stdout(), table("PLUGIN", "DISTRIBUTION", "VERSION", "ADDS", rows=rows))
    else:
        on_stderr().print("No plugins. For the first: pip install idolchat-storage-local idolchat-llm-openrouter")
    if only is not None:
        on_stderr().print(f"IDOLCHAT_PLUGINS limits them to: {', '.join(only) or 'none'}")


def _adds(plugin: dict[str, Any]) -> Text:
    if plugin["error"]:
        return cell(plugin["error"]["message"], "red")
    parts = [f"storage {name}" for name in plugin["storages"]]
    parts += [f"model provider {name}" for name in plugin["llm_providers"]]
    return cell(", ".join(parts or plugin["hooks"]))
