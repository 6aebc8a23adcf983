"""An example of a plugin that adds a command: ``idol words`` counts who wrote how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idolchat_core import hookimpl

if TYPE_CHECKING:
    from idolchat_cli.registry import CommandRegistry

__all__ = ["idolchat_register_commands"]


@hookimpl(optionalhook=True)
def idolchat_register_commands(registry: CommandRegistry) -> None:
    """Add the command; its module is imported when it runs."""
    registry.add("words", "idolchat_words.command:app", help="Count the words of each conversation.")
