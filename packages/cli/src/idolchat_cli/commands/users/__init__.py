"""``idol users``."""

from __future__ import annotations

from idolchat_cli.lazy import Lazy, examples, new_group

__all__ = ["app"]

app = new_group(
    {
        "export": Lazy("idolchat_cli.commands.users.export", "Write everything held about a user into one archive."),
        "erase": Lazy("idolchat_cli.commands.users.erase", "Erase everything held about a user, in mirrors too."),
    },
    help="Export and erase what is held about a user.",
    epilog=examples(
        "idol users export 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e -o ann.zip",
        "idol users erase 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e --dry-run",
    ),
)
