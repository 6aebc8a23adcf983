"""Check what ``idol serve`` needs."""

from __future__ import annotations

from pathlib import Path

from idolchat_cli.checks.result import CheckResult, fail, ok, warn
from idolchat_core.errors import ConfigurationError, PluginError
from idolchat_core.settings import read_settings
from idolchat_core.storage.server_address import running_server

__all__ = ["SERVE_EXTRA", "check_server"]

SERVE_EXTRA = "pip install 'idolchat-cli[serve]'"


def check_server() -> CheckResult:
    """Check what a start of the server checks: address, login, port; it need not be installed."""
    try:
        from idolchat_api.server import rehearse  # noqa: PLC0415  an extra
        from idolchat_api.settings.api import ApiSettings  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in ("idolchat_api", "idolchat_api.server"):
            return fail("server", f"idolchat-api is installed in part: {error}", SERVE_EXTRA)
        return ok("server", "not installed; idol chat does without", SERVE_EXTRA)
    try:
        settings = read_settings(ApiSettings)
        is_running = rehearse(settings)
    except (ConfigurationError, PluginError) as error:
        return fail("server", str(error))
    if is_running:
        return _about_running(settings.data_dir)
    return ok("server", f"idol serve listens on {settings.host}, port {settings.port}")


def _about_running(folder: Path) -> CheckResult:
    try:
        running = running_server(folder)
    except ConfigurationError as error:
        return warn("server", str(error))
    if running is None:
        return ok("server", "a server has just left this data folder")
    return ok("server", f"a server runs on this data folder: {running.url}")
