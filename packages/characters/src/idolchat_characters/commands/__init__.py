"""``idol characters``."""

from __future__ import annotations

from idolchat_cli.lazy import Lazy, examples, new_group

__all__ = ["app"]

_HERE = "idolchat_characters.commands"

app = new_group(
    {
        "list": Lazy(f"{_HERE}.list", "List characters, the newest first."),
        "show": Lazy(f"{_HERE}.show", "Show a character."),
        "import": Lazy(f"{_HERE}.import_", "Create characters from card files."),
        "export": Lazy(f"{_HERE}.export", "Write characters to card files."),
        "edit": Lazy(f"{_HERE}.edit", "Change fields of a character."),
        "duplicate": Lazy(f"{_HERE}.duplicate", "Copy a character."),
        "explain": Lazy(f"{_HERE}.explain", "Explain which lore enters a prompt, and why."),
        "delete": Lazy(f"{_HERE}.delete", "Delete characters for good."),
        "validate": Lazy(f"{_HERE}.validate", "Check card files without importing them."),
    },
    help="Look after characters and their cards.\n\nA server may run on the same data folder.",
    epilog=examples(
        "idol characters import mika.png",
        "idol characters list --tag idol",
        "idol characters edit mika --set nickname=Mi",
        "idol characters export mika -o mika.charx",
    ),
)
