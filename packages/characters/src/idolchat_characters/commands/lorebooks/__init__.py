"""``idol lorebooks``."""

from __future__ import annotations

from idolchat_cli.lazy import Lazy, examples, new_group

__all__ = ["app"]

_HERE = "idolchat_characters.commands.lorebooks"

app = new_group(
    {
        "list": Lazy(f"{_HERE}.list", "List lorebooks, the oldest first."),
        "import": Lazy(f"{_HERE}.import_", "Store lorebooks from files."),
        "export": Lazy(f"{_HERE}.export", "Write a lorebook to a file."),
        "edit": Lazy(f"{_HERE}.edit", "Rename a lorebook, switch it, or replace what is in it."),
        "delete": Lazy(f"{_HERE}.delete", "Delete lorebooks."),
    },
    help=(
        "Look after lorebooks: those of users, of conversations and of the whole server.\n\n"
        "A character's own book is part of its card."
    ),
    epilog=examples(
        "idol lorebooks import town.json --server",
        "idol lorebooks list --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e",
    ),
)
