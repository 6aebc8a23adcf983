"""The commands and checks that plugins add, by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from idolchat_cli.commands import COMMANDS
from idolchat_cli.lazy import Lazy
from idolchat_core.errors import PluginNameTaken

__all__ = ["CheckRegistry", "CommandRegistry"]

BUILT_IN = "idolchat-cli"


class _Names:
    """Who registered which name; ``kind`` is what it names, in messages."""

    kind: ClassVar[str]

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._origins = dict.fromkeys(taken, BUILT_IN)
        self._adding = "the application"

    def origin(self, name: str) -> str:
        """Return which distribution registered a name."""
        return self._origins[name]

    def adding_from(self, origin: str) -> None:
        """Describe whose registrations follow."""
        self._adding = origin

    def _claim(self, name: str) -> None:
        if name in self._origins:
            raise PluginNameTaken(
                f"{self._adding} registers the {self.kind} {name!r}, which {self._origins[name]} already has;"
                " uninstall one of them, or name the plugins to load in IDOLCHAT_PLUGINS"
            )
        self._origins[name] = self._adding


class CommandRegistry(_Names):
    """What ``idolchat_register_commands`` fills; the names of the built-in commands are taken from the beginning."""

    kind = "command"

    def __init__(self) -> None:
        super().__init__(COMMANDS)
        self._commands: dict[str, Lazy] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    @property
    def commands(self) -> Mapping[str, Lazy]:
        """What was added."""
        return self._commands

    def add(self, name: str, where: str, *, help: str) -> None:  # noqa: A002  Typer's word
        """Register a command or group of commands. Raises ``PluginNameTaken``.

        ``where`` is ``module:attribute`` of a ``typer.Typer``, imported when the command runs; ``help`` is its line in
        ``idol --help``.
        """
        self._claim(name)
        self._commands[name] = Lazy(where, help)


class CheckRegistry(_Names):
    """What ``idolchat_register_checks`` fills."""

    kind = "check"

    def __init__(self) -> None:
        super().__init__()
        self._checks: dict[str, str] = {}

    @property
    def checks(self) -> Mapping[str, str]:
        """What was added: names, and where each check is."""
        return self._checks

    def add(self, name: str, where: str) -> None:
        """Register a check of ``idol doctor``. Raises ``PluginNameTaken``.

        ``where`` is ``module:function``, imported when the doctor comes: an async function without arguments that gives
        ``CheckResult`` s (see ``idolchat_cli.checks.result``); what it raises is a finding too.
        """
        self._claim(name)
        self._checks[name] = where
