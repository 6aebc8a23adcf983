"""Check the names of the variables that are set: one that nothing reads is most likely misspelt."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import metadata

from dotenv import dotenv_values

from idolchat_cli.checks.result import CheckResult, fail, ok, warn
from idolchat_cli.printable import printable
from idolchat_cli.render import on_stderr
from idolchat_core.dotenv_file import DOTENV, DOTENV_ENCODING
from idolchat_core.dotenv_file import check_dotenv as read_through
from idolchat_core.errors import ConfigurationError
from idolchat_core.settings import PackageSettings

__all__ = [
    "check_dotenv",
    "check_variables",
    "known_variables",
    "set_variables",
    "settings_classes",
    "unread_variables",
    "warn_of_unread",
]

PREFIX = "IDOLCHAT_"
READERS = {
    "OPENROUTER_": "idolchat-llm-openrouter",
    "SUPABASE_": "idolchat-storage-supabase",
    "IDOLCHAT_CHARACTERS_": "idolchat-characters",
    "IDOLCHAT_LOCAL_": "idolchat-llm-local",
    "IDOLCHAT_LORE_": "idolchat-characters",
    "IDOLCHAT_MEMORY": "idolchat-memory",
    "IDOLCHAT_OPENROUTER_": "idolchat-llm-openrouter",
    "IDOLCHAT_POSTGRES_": "idolchat-storage-postgres",
    "IDOLCHAT_REDIS_": "idolchat-bus-redis",
    "IDOLCHAT_SUPABASE_": "idolchat-storage-supabase",
    "IDOLCHAT_V1_": "idolchat-api-openai",
}
"""Which distribution reads variables that begin so."""


def known_variables() -> frozenset[str]:
    """Name every variable that a settings class reads which has been imported by now."""
    return frozenset(
        variable
        for settings in settings_classes()
        for name in settings.model_fields
        for variable in settings.variables_of(name)
    )


def set_variables() -> Mapping[str, str]:
    """Return the variables that are set, and where; the environment goes before ``.env``, empty ones do not count.

    One that lacks the value of another is set: nothing starts with it.
    """
    in_file = dotenv_values(DOTENV, encoding=DOTENV_ENCODING) if DOTENV.is_file() else {}
    found = {name.upper(): str(DOTENV) for name, value in in_file.items() if value or _lacks_another(name)}
    return found | {name.upper(): "environment" for name, value in os.environ.items() if value}


def _lacks_another(name: str) -> bool:
    try:
        read_through({name.upper()})
    except ConfigurationError:
        return True
    return False


def check_variables() -> Iterator[CheckResult]:
    """Return which settings are set, and warn of names that look like one but are read by nothing."""
    known, present = known_variables(), set_variables()
    found = [f"{name} ({where})" for name, where in sorted(present.items()) if name in known]
    yield ok("variables", f"set: {', '.join(found) or 'none, all is as it comes'}")
    yield from unread_variables()


def warn_of_unread() -> None:
    """Print on standard error what ``unread_variables`` finds."""
    for unread in unread_variables():
        on_stderr().print(f"Warning: {printable(unread.message)}: {unread.mend}")


def unread_variables() -> Iterator[CheckResult]:
    """Warn of variables that look like a setting and are read by nothing that has been imported by now."""
    known = known_variables()
    for name, where in sorted(set_variables().items()):
        if name not in known:
            yield from _about_unknown(name, where, known)


def check_dotenv() -> CheckResult | None:
    """Find fault with a ``.env`` that cannot be read, or that holds a key and can be read by everybody."""
    if not DOTENV.is_file():
        return None
    place = DOTENV.absolute()
    try:
        read_through(frozenset())
    except ConfigurationError as error:
        return fail(".env", str(error), f"correct {place} and run idol doctor again")
    variables = dotenv_values(DOTENV, encoding=DOTENV_ENCODING)
    mode = stat.S_IMODE(DOTENV.stat().st_mode)
    if os.name == "posix" and mode & 0o004 and any(name.upper().endswith("_KEY") for name in variables):
        message = f"{place} holds a key, and everybody on this machine may read it (mode {mode:o})"
        return warn(".env", message, f"chmod 600 {place}")
    return ok(".env", f"{place} is read")


def _about_unknown(name: str, where: str, known: frozenset[str]) -> Iterator[CheckResult]:
    similar = get_close_matches(name, known, n=1, cutoff=0.85)
    reader = next((distribution for prefix, distribution in READERS.items() if name.startswith(prefix)), None)
    if similar:
        yield warn("variables", f"{name} ({where}) is read by nothing", f"did you mean {similar[0]}?")
    elif reader:
        yield warn("variables", f"{name} ({where}) is read by nothing that is loaded", _how_to_load(reader))
    elif name.startswith(PREFIX):
        yield warn("variables", f"{name} ({where}) is read by nothing that is loaded", "correct or remove it")


def _how_to_load(distribution: str) -> str:
    if distribution.replace("-", "_") in {one.__module__.partition(".")[0] for one in settings_classes()}:
        return "correct or remove it"
    if next(iter(metadata.distributions(name=distribution)), None) is None:
        return f"pip install {distribution}"
    return f"add {distribution.removeprefix('idolchat-')} to IDOLCHAT_PLUGINS"


def settings_classes(base: type[PackageSettings] = PackageSettings) -> Iterator[type[PackageSettings]]:
    """Find every settings class that has been imported by now."""
    for child in base.__subclasses__():
        yield child
        yield from settings_classes(child)
