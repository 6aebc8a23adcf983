"""The commands that plugins add, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from idolchat_cli.commands import COMMANDS
from idolchat_cli.lazy import Lazy
from idolchat_core.errors import PluginNameTaken

__all__ = ["CommandRegistry"]

BUILT_IN = "idolchat-cli"


class CommandRegistry:
    """What ``idolchat_register_commands`` fills; the names of the built-in commands are taken from the beginning."""

    def __init__(self) -> None:
        self._commands: dict[str, Lazy] = {}
        self._origins = dict.fromkeys(COMMANDS, BUILT_IN)
        self._adding = "the application"

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    @property
    def commands(self) -> Mapping[str, Lazy]:
        """Give what was added."""
        return self._commands

    def add(self, name: str, where: str, *, help: str) -> None:  # noqa: A002  Typer's word
        """Register a command or group of commands. Raises ``PluginNameTaken``.

        ``where`` is ``module:attribute`` of a ``typer.Typer``, imported when the command runs; ``help`` is its line in
        ``idol --help``.
        """
        if name in self._origins:
            raise PluginNameTaken(
                f"{self._adding} registers the command {name!r}, which {self._origins[name]} already has;"
                " uninstall one of them, or name the plugins to load in IDOLCHAT_PLUGINS"
            )
        self._commands[name] = Lazy(where, help)
        self._origins[name] = self._adding

    def origin(self, name: str) -> str:
        """Tell which distribution registered a name."""
        return self._origins[name]

    def adding_from(self, origin: str) -> None:
        """Say whose registrations follow."""
        self._adding = origin
