"""What begins with a slash in the terminal: it is for us, not for the character."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["HELP", "SlashCommand", "read_command"]

_COMMANDS = {
    "/help": "list these",
    "/retry": "ask again for a reply that failed or was cut short",
    "/regenerate": "have the last message answered once more; both replies are kept",
    "/edit TEXT": "say TEXT instead of your last message; the old one is kept on another branch",
    "/greeting N": "have the character begin with her Nth greeting, before you have answered",
    "/new": "begin another conversation",
    "/model [NAME]": "have another model answer; without NAME, the one of the settings",
    "/quit": "leave, as Ctrl-D does",
}

HELP = "\n".join(
    [*(f"{name:<16}{what}" for name, what in _COMMANDS.items()), f"{'//...':<16}say a text that begins with /"]
)

_NAMES = {usage.split()[0] for usage in _COMMANDS}


class SlashCommand(NamedTuple):
    """A command with what follows it; ``name`` is without the slash, and None where there is no such command."""

    name: str | None
    argument: str


def read_command(text: str) -> SlashCommand | str:
    """Return the command that a text is, or the text to say: what begins with ``//`` is said with one slash."""
    if not text.startswith("/"):
        return text
    if text.startswith("//"):
        return text[1:]
    name, _, argument = text.strip().partition(" ")
    return SlashCommand(name.removeprefix("/") if name in _NAMES else None, argument.strip())
