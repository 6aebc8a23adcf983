"""``idol storage``."""

from __future__ import annotations

from idolchat_cli.lazy import Lazy, examples, new_group

__all__ = ["app"]

_HERE = "idolchat_cli.commands.storage"

app = new_group(
    {
        "verify": Lazy(f"{_HERE}.verify", "Read everything and report what is wrong."),
        "repair": Lazy(f"{_HERE}.repair", "Mend what verify finds; what was there is kept."),
        "sync": Lazy(f"{_HERE}.sync", "Make the primary storage and its mirrors the same."),
        "restore": Lazy(f"{_HERE}.restore", "Restore everything that only a mirror holds."),
        "reindex": Lazy(f"{_HERE}.reindex", "Rebuild the indexes of lists and search from the conversations."),
        "migrate": Lazy(f"{_HERE}.migrate", "Copy everything to another storage, and make sure of it."),
        "upgrade": Lazy(f"{_HERE}.upgrade", "Bring what is stored to the form that this version needs."),
        "stats": Lazy(f"{_HERE}.stats", "Count conversations, messages, users and bytes."),
        "gc": Lazy(f"{_HERE}.gc", "Remove what nobody needs any more."),
    },
    help="Look after the storage: verify, mend, move and tidy it.\n\nA server may run on the same data folder.",
    epilog=examples(
        "idol storage verify",
        "idol storage repair --dry-run",
        "idol storage migrate --to local:/mnt/new",
    ),
)
