"""The commands of ``idol``, one module each, imported when they run."""

from __future__ import annotations

from collections.abc import Mapping

from idolchat_cli.lazy import Lazy

__all__ = ["COMMANDS"]

COMMANDS: Mapping[str, Lazy] = {
    "serve": Lazy("idolchat_cli.commands.serve", "Serve conversations over HTTP and WebSocket."),
    "chat": Lazy("idolchat_cli.commands.chat", "Talk in the terminal, without a server or with the one on this data."),
    "conversations": Lazy(
        "idolchat_cli.commands.conversations", "Look after conversations: see, search, move and delete them."
    ),
    "users": Lazy("idolchat_cli.commands.users", "Export and erase what is held about a user."),
    "backup": Lazy(
        "idolchat_cli.commands.backup", "Back up all that the storage holds: conversations, keys, ledger, records."
    ),
    "restore": Lazy(
        "idolchat_cli.commands.restore", "Put a backup back into the storage that the settings choose, and compare."
    ),
    "storage": Lazy("idolchat_cli.commands.storage", "Look after the storage: verify, mend, move and tidy it."),
    "instances": Lazy("idolchat_cli.commands.instances", "See which servers share the storage, and what they do."),
    "keys": Lazy("idolchat_cli.commands.keys", "Make, list and revoke the API keys of a server."),
    "usage": Lazy("idolchat_cli.commands.usage", "Show what was spent, and stop or resume spending."),
    "config": Lazy("idolchat_cli.commands.config", "Show the settings, and where each comes from."),
    "plugins": Lazy("idolchat_cli.commands.plugins", "Show the installed plugins and what they add."),
    "doctor": Lazy("idolchat_cli.commands.doctor", "Check the installation and say how to mend it."),
}
