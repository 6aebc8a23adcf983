"""The settings of everything that is imported: what each is, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from inspect import get_annotations
from typing import Any

from pydantic import Field, SecretStr
from pydantic_core import to_jsonable_python

from idolchat_cli.checks.variables import set_variables, settings_classes
from idolchat_cli.results import Result
from idolchat_core.errors import ConfigurationError
from idolchat_core.settings import PackageSettings, read_settings

__all__ = ["Setting", "all_settings"]

MASK = "********"
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")


class Setting(Result):
    """One setting."""

    variable: str
    value: Any = Field(description="as it is read; masked where it is secret, null where there is none")
    source: str = Field(description="environment, .env or default")
    package: str = Field(description="which package reads it")
    description: str | None
    error: str | None = Field(description="why its package cannot be set up so")


def all_settings() -> Iterator[Setting]:
    """Yield every setting once, core's first."""
    with suppress(ModuleNotFoundError):
        import_module("idolchat_api.settings.api")  # the server is an extra
    where, known = set_variables(), set[str]()
    for settings in sorted(settings_classes(), key=_order):
        for one in _settings(settings, where):
            if one.variable not in known:
                known.add(one.variable)
                yield one


def _order(settings: type[PackageSettings]) -> tuple[bool, str]:
    package = _package(settings)
    return package != "idolchat-core", package


def _package(settings: type[PackageSettings]) -> str:
    return settings.__module__.partition(".")[0].replace("_", "-")


def _settings(settings: type[PackageSettings], where: Mapping[str, str]) -> Iterator[Setting]:
    read: PackageSettings | None = None
    problem = None
    try:
        read = read_settings(settings)
    except ConfigurationError as error:
        problem = str(error)
    for name, field in settings.model_fields.items():
        variables = settings.variables_of(name)
        variable = next((one for one in variables if one in where), variables[0])
        blamed = problem is not None and any(re.search(rf"\b{re.escape(one)}\b", problem) for one in variables)
        yield Setting(
            variable=variable,
            value=_shown(getattr(read, name)) if read is not None else None,
            source=where.get(variable, "default"),
            package=_package(_origin(settings, name)),
            description=field.description,
            error=problem if blamed else None,
        )


def _origin(settings: type[PackageSettings], name: str) -> type[PackageSettings]:
    """Return the class that defines a field."""
    having = [base for base in settings.__mro__ if name in get_annotations(base)]
    return having[-1] if having else settings


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else None
    if isinstance(value, str):
        return _CREDENTIALS.sub(MASK, value)
    return to_jsonable_python(value, fallback=str)
