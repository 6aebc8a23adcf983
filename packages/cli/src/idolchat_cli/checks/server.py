"""Check what ``idol serve`` needs."""

from __future__ import annotations

from idolchat_cli.checks.result import CheckResult, fail, ok
from idolchat_core.errors import ConfigurationError
from idolchat_core.settings import read_settings

__all__ = ["SERVE_EXTRA", "check_server"]

SERVE_EXTRA = "pip install 'idolchat-cli[serve]'"


def check_server() -> CheckResult:
    """Tell where the server would listen; it need not be installed."""
    try:
        from idolchat_api import ApiSettings  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        if error.name != "idolchat_api":
            return fail("server", f"idolchat-api is installed in part: {error}", SERVE_EXTRA)
        return ok("server", "not installed; idol chat does without", SERVE_EXTRA)
    try:
        settings = read_settings(ApiSettings)
    except ConfigurationError as error:
        return fail("server", str(error))
    return ok("server", f"idol serve listens on {settings.host}, port {settings.port}")
