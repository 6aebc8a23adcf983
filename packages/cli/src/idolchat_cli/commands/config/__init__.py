"""``idol config``."""

from __future__ import annotations

from idolchat_cli.lazy import Lazy, examples, new_group

__all__ = ["app"]

app = new_group(
    {"show": Lazy("idolchat_cli.commands.config.show", "Show each setting, its value and where it comes from.")},
    help="Show the settings, and where each comes from.",
    epilog=examples("idol config show", "idol config show --set"),
)
