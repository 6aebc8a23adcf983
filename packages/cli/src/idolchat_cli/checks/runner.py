"""All checks, in the order in which a start meets what they look at."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

from idolchat_cli.checks.machine import check_data_folder, check_python
from idolchat_cli.checks.parts import (
    check_bus,
    check_by_plugin,
    check_llm,
    check_mirrors,
    check_plugins,
    check_storages,
)
from idolchat_cli.checks.result import CheckResult, Status, fail
from idolchat_cli.checks.server import check_server
from idolchat_cli.checks.variables import check_dotenv, check_variables
from idolchat_cli.loading import Everything, load_everything
from idolchat_core.errors import ConfigurationError, PluginError
from idolchat_core.settings import CoreSettings, read_settings

__all__ = ["run_checks"]


async def run_checks() -> AsyncGenerator[CheckResult]:
    """Yield what each check finds, as soon as it is found; what depends on settings that are wrong is left out."""
    yield check_python()
    dotenv = check_dotenv()
    if dotenv is not None:
        yield dotenv
        if dotenv.status is Status.FAIL:
            return
    settings, everything, problems = _read()
    for finding in (*problems, *_at_rest(settings, everything)):
        yield finding
    if settings is not None and everything is not None:
        async for finding in _at_work(settings, everything):
            yield finding
        yield check_server()
    for finding in check_variables():  # last, when every part's settings have been imported
        yield finding


async def _at_work(settings: CoreSettings, everything: Everything) -> AsyncGenerator[CheckResult]:
    for check in (check_storages, check_mirrors, check_bus, check_llm):
        for finding in await check(settings, everything.plugins):
            yield finding
    for name, where in everything.checks.checks.items():
        for finding in await check_by_plugin(name, where):
            yield finding


def _at_rest(settings: CoreSettings | None, everything: Everything | None) -> Iterator[CheckResult]:
    if everything is not None:
        yield from check_plugins(everything.plugins)
    if settings is not None:
        yield from check_data_folder(settings.data_dir)


def _read() -> tuple[CoreSettings | None, Everything | None, list[CheckResult]]:
    settings, everything = None, None
    problems = []
    try:
        settings = read_settings(CoreSettings)
    except ConfigurationError as error:
        problems.append(fail("settings", str(error), "correct it and run idol doctor again"))
    try:
        everything = load_everything(only=settings.plugins if settings else None)
    except PluginError as error:
        problems.append(fail("plugin", str(error), "correct IDOLCHAT_PLUGINS"))
    return settings, everything, problems
