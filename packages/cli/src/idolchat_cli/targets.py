"""Storages by name and place: ``local:/mnt/new`` is the storage ``local`` with another data folder."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from dotenv import dotenv_values

from idolchat_cli.usage import WrongUsage
from idolchat_core.plugins.loader import Plugins
from idolchat_core.settings import CoreSettings, read_settings
from idolchat_core.storage.contract import Storage

__all__ = ["Target", "parse_target"]

_DATA_DIR = "IDOLCHAT_DATA_DIR"


class Target(NamedTuple):
    """A storage by its name in the registry, and the variables that it is opened with."""

    text: str
    name: str
    variables: Mapping[str, str]

    @asynccontextmanager
    async def open(self, plugins: Plugins) -> AsyncGenerator[Storage]:
        """Open it; the variables are set while its factory reads its settings."""
        factory = plugins.storages.get(self.name)
        with _variables(self.variables):
            opening = factory()
            storage = await opening.__aenter__()
        try:
            yield storage
        finally:
            await opening.__aexit__(None, None, None)

    def is_same(self, other: Target) -> bool:
        """Return whether two places are one and the same."""
        if self.name != other.name:
            return False
        mine, others = (_resolved(place.variables) for place in (self, other))
        return mine == others

    def require_there(self) -> None:
        """Raise ``WrongUsage`` when the data folder that it names is not there, instead of making an empty one."""
        folder = self.variables.get(_DATA_DIR)
        if folder is not None and not Path(folder).is_dir():
            raise WrongUsage(f"{self.text}: there is no folder {folder}")


def parse_target(text: str, plugins: Plugins, *, env_file: Path | None = None) -> Target:
    """Read ``NAME`` or ``NAME:PLACE``; variables of the file come before those of the environment.

    Raises ``PluginNotFound`` for a name that is not installed, and ``WrongUsage`` for a place that it cannot take.
    """
    name, colon, place = text.partition(":")
    variables = {}
    if env_file is not None:
        variables = {key: value for key, value in dotenv_values(env_file).items() if value is not None}
    variable = plugins.storages.place_variable(name)
    if colon:
        if not variable:
            raise WrongUsage(f"the storage {name} cannot be given a place; set its own variables with an env file")
        if not place:
            raise WrongUsage(f"{text!r} names no place behind the colon")
        variables[variable] = place
    return Target(text, name, variables)


def _resolved(variables: Mapping[str, str]) -> Mapping[str, str]:
    with _variables(variables):
        folder = read_settings(CoreSettings).data_dir
    return {**variables, _DATA_DIR: str(folder.resolve())}


@contextmanager
def _variables(given: Mapping[str, str]) -> Generator[None]:
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
