"""Groups of commands that are imported when they run, so that help and completion cost none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context

__all__ = ["Lazy", "LazyGroup", "examples", "new_app", "new_group"]


class Lazy(NamedTuple):
    """Where a command is, and what a list of commands says of it.

    ``where`` names a ``Typer`` with one command, or with more for a group: ``module`` (its ``app``), or
    ``module:attribute``.
    """

    where: str
    help: str


class LazyGroup(TyperGroup):
    """A group that knows its commands by name; a subclass lists them in ``lazy``."""

    lazy: ClassVar[Mapping[str, Lazy]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._offered: dict[str, Lazy] = {}
        for name, command in self.lazy.items():
            self.offer(name, command)

    def offer(self, name: str, command: Lazy) -> None:
        """Add a command."""
        self._offered[name] = command
        self.add_command(TyperCommand(name, help=command.help), name)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find the command that the arguments begin with, imported and ready to run."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, self.load(name) if name else None, rest

    def load(self, name: str) -> Command:
        """Import a command."""
        module, _, attribute = self._offered[name].where.partition(":")
        return typer.main.get_command(getattr(import_module(module), attribute or "app"))


class _App(typer.Typer):
    """Checks that the texts a command is given are UTF-8, as all that is stored; names of files may be any bytes."""

    def command(  # type: ignore[override]  # Typer lists the attributes
        self, name: str | None = None, **attributes: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        register = super().command(name, **attributes)
        return lambda function: register(_with_checked_text(function))


def _with_checked_text(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def checked(**arguments: Any) -> Any:
        for name, value in arguments.items():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and not text.isascii():
                    _check_text(text, name)
        return function(**arguments)

    return checked


def _check_text(text: str, name: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"from character {error.start + 1} on it is no UTF-8; write it in UTF-8"
        raise typer.BadParameter(message, param_hint=name) from None


def new_app(**attributes: Any) -> typer.Typer:
    """Make the ``app`` of a command's module, with the looks that all commands share."""
    return _App(**{"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None} | attributes)


def new_group(commands: Mapping[str, Lazy], *, help: str, epilog: str) -> typer.Typer:  # noqa: A002  Typer's word
    """Make the ``app`` of a group's module; ``help`` and ``epilog`` are texts as those of a command."""
    group = type("Group", (LazyGroup,), {"lazy": commands})
    return new_app(cls=group, callback=_begin, help=help, epilog=epilog, no_args_is_help=True)


def examples(*lines: str) -> str:
    r"""Write the end of a help text, one example a line; ``\b`` keeps them from being filled to a paragraph."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def _begin() -> None:
    """Do nothing: what a group does is done by its commands."""
