"""``idol conversations``."""

from __future__ import annotations

from idolchat_cli.lazy import Lazy, examples, new_group

__all__ = ["app"]

_HERE = "idolchat_cli.commands.conversations"

app = new_group(
    {
        "list": Lazy(f"{_HERE}.list", "List conversations, the last changed first."),
        "show": Lazy(f"{_HERE}.show", "Show what was said in a conversation."),
        "search": Lazy(f"{_HERE}.search", "Search everything that was said."),
        "tail": Lazy(f"{_HERE}.tail", "Show new messages as they are stored."),
        "export": Lazy(f"{_HERE}.export", "Write conversations to files, or to one archive."),
        "import": Lazy(f"{_HERE}.import_", "Import conversations from files, of other programs too."),
        "delete": Lazy(f"{_HERE}.delete", "Delete conversations for good."),
        "delete-message": Lazy(f"{_HERE}.delete_message", "Delete one message for good."),
        "fork": Lazy(f"{_HERE}.fork", "Begin a new conversation with the messages of another."),
        "stats": Lazy(f"{_HERE}.stats", "Count conversations, messages, users and characters."),
    },
    help="Look after conversations: see, search, move and delete them.\n\nA server may run on the same data folder.",
    epilog=examples(
        "idol conversations list --since 7d",
        "idol conversations show 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55",
        "idol conversations search 'cherry blossom'",
        "idol conversations export -o backup.tar.gz",
    ),
)
