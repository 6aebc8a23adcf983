"""``idol plugins info``."""

from __future__ import annotations

from email.message import Message
from importlib.metadata import EntryPoint, distribution, entry_points
from typing import Annotated

import typer
from pydantic import Field

from idolchat_cli.commands.plugins.described import PluginInfo, describe
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.loading import load_everything
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, columns, on_stdout, print_json, show
from idolchat_cli.usage import WrongUsage

__all__ = ["RESULT", "app"]

WIDTH = len("distribution")


class PluginDetails(PluginInfo):
    """A plugin, with what its distribution says of it."""

    entry_point: str = Field(description="the module that implements its hooks")
    summary: str | None = Field(description="what the distribution says it is")
    license: str | None
    homepage: str | None
    requires: tuple[str, ...] = Field(description="the distributions it needs")


RESULT = PluginDetails

app = new_app()


def _names() -> list[str]:
    return sorted(point.name for point in entry_points(group="idolchat"))


@app.command(
    "info", epilog=examples("idol plugins info storage-local", "idol plugins info llm-openrouter --json | jq .version")
)
def info(
    name: Annotated[
        str, typer.Argument(metavar="PLUGIN", help="As idol plugins list names it.", autocompletion=_names)
    ],
    as_json: AsJson = False,
) -> None:
    """Show everything about one plugin.

    Exits with 1 if it cannot be used.
    """
    points = [point for point in entry_points(group="idolchat") if point.name == name]
    if not points:
        raise WrongUsage(f"no plugin {name!r} is installed; those are {', '.join(_names()) or 'none'}")
    described = _described(points[0])
    if as_json:
        print_json(described)
    else:
        _show(described)
    if described.error:
        raise typer.Exit(1)


def _described(point: EntryPoint) -> PluginDetails:
    found = load_everything(only=[point.name])
    about = describe(found.plugins.loaded[0], found)
    metadata = distribution(about.distribution).metadata if about.distribution else Message()
    return PluginDetails(
        **dict(about),
        entry_point=point.value,
        summary=metadata.get("Summary"),
        license=metadata.get("License-Expression") or metadata.get("License"),
        homepage=metadata.get("Home-page"),
        requires=tuple(metadata.get_all("Requires-Dist", [])),
    )


def _show(plugin: PluginDetails) -> None:
    facts = {
        "plugin": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "is": plugin.summary,
        "license": plugin.license,
        "homepage": plugin.homepage,
        "entry point": plugin.entry_point,
        "hooks": ", ".join(plugin.hooks),
        "adds": ", ".join(plugin.parts),
        "requires": ", ".join(plugin.requires),
        "error": plugin.error and plugin.error.message,
    }
    rows = ([cell(name), cell(fact, "red" if name == "error" else "")] for name, fact in facts.items() if fact)
    show(on_stdout(), columns(rows, widths=[WIDTH]))
