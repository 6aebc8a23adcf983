"""What this package adds to idolchat."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from idolchat_core import ServiceRegistry, Services, hookimpl

if TYPE_CHECKING:  # the server takes half a second to import, and a command that needs none imports every plugin
    from idolchat_api.auth import Authenticator

__all__ = ["idolchat_register_authenticators"]


@hookimpl(optionalhook=True)
def idolchat_register_authenticators(registry: ServiceRegistry[Authenticator]) -> None:
    """Register ``supabase``."""
    registry.add("supabase", _open)


def _open(services: Services) -> AbstractAsyncContextManager[Authenticator]:
    # Cryptography and aiohttp take a while to import; a server with another scheme need not wait for them.
    from idolchat_auth_supabase.authenticator import open_supabase_auth  # noqa: PLC0415

    return open_supabase_auth()
