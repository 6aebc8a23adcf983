"""``idol memory notes``."""

from __future__ import annotations

from idolchat_cli.lazy import Lazy, examples, new_group

__all__ = ["app"]

_HERE = "idolchat_memory.commands.notes"

app = new_group(
    {
        "list": Lazy(f"{_HERE}.list", "List what is kept about a user."),
        "add": Lazy(f"{_HERE}.add", "Keep something about a user."),
        "edit": Lazy(f"{_HERE}.edit", "Pin a note, or put another text in its place."),
        "delete": Lazy(f"{_HERE}.delete", "Delete notes for good."),
    },
    help="Look after the notes about users.\n\nA server may run on the same data folder.",
    epilog=examples(
        "idol memory notes list --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e",
        'idol memory notes add "Calls me Captain" --pin --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e',
    ),
)
