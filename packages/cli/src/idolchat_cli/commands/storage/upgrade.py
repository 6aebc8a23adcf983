"""``idol storage upgrade``."""

from __future__ import annotations

import asyncio

from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson, DryRun
from idolchat_cli.render import on_stdout, print_json
from idolchat_cli.results import Result
from idolchat_core.choice import choose_storages
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.settings import CoreSettings, read_settings

__all__ = ["RESULT", "app"]


class Upgrade(Result):
    """What was done to a storage, or would be."""

    storage: str
    steps: tuple[str, ...] = Field(description="nothing where it is as this version needs it")


class Upgraded(Result):
    """What was done, or would be."""

    dry_run: bool
    storages: tuple[Upgrade, ...]


RESULT = Upgraded

app = new_app()


@app.command(epilog=examples("idol storage upgrade --dry-run", "idol storage upgrade"))
def upgrade(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Bring what is stored to the form that this version needs.

    A storage in a database asks for this when it is opened and finds an older form; servers of the version before may
    run on meanwhile. Those that keep files need no upgrade. It may be run again.
    """
    result = Upgraded(dry_run=dry_run, storages=tuple(asyncio.run(_upgraded(dry_run=dry_run))))
    if as_json:
        print_json(result)
        return
    for one in result.storages:
        steps = ", ".join(one.steps)
        done = f"would get {steps}" if dry_run else f"has got {steps}"
        on_stdout().print(f"{one.storage} {done if steps else 'is as this version needs it'}")


async def _upgraded(*, dry_run: bool) -> list[Upgrade]:
    settings = read_settings(CoreSettings)
    plugins = load_plugins(only=settings.plugins)
    done = []
    for name in choose_storages(settings, plugins):
        work = plugins.storages.upgrade(name)
        done.append(Upgrade(storage=name, steps=tuple(await work(dry_run=dry_run)) if work is not None else ()))
    return done
