"""``idol keys``."""

from __future__ import annotations

from importlib.util import find_spec

from idolchat_cli.checks.server import SERVE_EXTRA
from idolchat_cli.lazy import Lazy, examples, new_group
from idolchat_core.errors import ConfigurationError

__all__ = ["app"]

if find_spec("idolchat_api") is None:
    raise ConfigurationError(f"API keys are for the server, which is not installed: {SERVE_EXTRA}")

_HERE = "idolchat_cli.commands.keys"

app = new_group(
    {
        "create": Lazy(f"{_HERE}.create", "Make an API key, and show it this once."),
        "list": Lazy(f"{_HERE}.list", "List the API keys, the newest first; revoked ones stay in the list."),
        "revoke": Lazy(f"{_HERE}.revoke", "Make API keys useless."),
    },
    help="Make, list and revoke the API keys of a server.\n\nIts IDOLCHAT_AUTH is api-key; it may run meanwhile.",
    epilog=examples(
        "idol keys create --name 'web back end'",
        "idol keys list",
        "idol keys revoke 3q5kx7mabcde",
    ),
)
