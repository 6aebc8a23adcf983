"""``idol instances``."""

from __future__ import annotations

from idolchat_cli.lazy import Lazy, examples, new_group

__all__ = ["app"]

app = new_group(
    {
        "list": Lazy(
            "idolchat_cli.commands.instances.list",
            "List the servers that share the storage, as it knows them, the longest-running first.",
        )
    },
    help="See which servers share the storage, and what they do.",
    epilog=examples("idol instances list"),
)
