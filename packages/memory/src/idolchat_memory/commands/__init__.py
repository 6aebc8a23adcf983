"""``idol memory``."""

from __future__ import annotations

from idolchat_cli.lazy import Lazy, examples, new_group

__all__ = ["app"]

_HERE = "idolchat_memory.commands"

app = new_group(
    {
        "search": Lazy(f"{_HERE}.search", "Find what was said that answers a question."),
        "notes": Lazy(f"{_HERE}.notes", "Look after the notes about users."),
        "stats": Lazy(f"{_HERE}.stats", "Count what is indexed."),
        "verify": Lazy(f"{_HERE}.verify", "Check the index against the conversations."),
        "rebuild": Lazy(f"{_HERE}.rebuild", "Build the index anew from the conversations."),
    },
    help="Search what is remembered, and look after its index.\n\nA server may run on the same data folder.",
    epilog=examples(
        'idol memory search "What is my dog called?" --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e',
        "idol memory notes list --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e",
        "idol memory verify",
    ),
)
