"""The installed authentication schemes, and opening the one in use."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from idolchat_api.addresses import is_loopback
from idolchat_api.auth.api_key import open_api_keys
from idolchat_api.auth.authentication import Authentication
from idolchat_api.auth.authenticator import Authenticator
from idolchat_api.settings.api import ApiSettings
from idolchat_core.errors import ConfigurationError
from idolchat_core.plugins.loader import Plugins
from idolchat_core.plugins.registry import ServiceRegistry
from idolchat_core.plugins.services import Services

__all__ = [
    "HOOK",
    "NONE",
    "OPEN_ADDRESS",
    "check_address",
    "check_scheme",
    "new_registry",
    "open_authentication",
    "schemes_of",
]

HOOK = "idolchat_register_authenticators"
NONE = "none"
OPEN_ADDRESS = (
    "others may reach this address, and without a login whoever does can read and write every conversation and spend"
    " what the provider charges"
)


def new_registry() -> ServiceRegistry[Authenticator]:
    """Return a registry with the built-in schemes; ``none`` is not one, since it needs no authenticator."""
    registry = ServiceRegistry[Authenticator]("authentication scheme")
    registry.adding_from("idolchat-api")
    registry.add("api-key", open_api_keys)
    return registry


def schemes_of(plugins: Plugins) -> ServiceRegistry[Authenticator]:
    """Return the schemes that the plugins have added, beside the built-in ones."""
    filled = plugins.filled_by.get(HOOK)
    return filled if isinstance(filled, ServiceRegistry) else new_registry()


def check_scheme(settings: ApiSettings, registry: ServiceRegistry[Authenticator]) -> None:
    """Raise ``ConfigurationError`` unless the configured scheme is installed."""
    if settings.auth not in (NONE, *registry):
        raise ConfigurationError(
            f"IDOLCHAT_AUTH names {settings.auth!r}; installed: {', '.join((NONE, *registry))}."
            " For supabase, install idolchat-auth-supabase"
        )


def check_address(settings: ApiSettings) -> None:
    """Raise ``ConfigurationError`` for a server without a login on an address that other machines may reach."""
    if settings.auth == NONE and not settings.allow_open and not is_loopback(settings.host.lower()):
        raise ConfigurationError(
            f"IDOLCHAT_HOST is {settings.host!r} and IDOLCHAT_AUTH is none: {OPEN_ADDRESS}. Set IDOLCHAT_AUTH=api-key"
            " and make a key with `idol keys create`, or IDOLCHAT_HOST=127.0.0.1 to serve this machine only;"
            " IDOLCHAT_ALLOW_OPEN=1 serves everyone all the same"
        )


@asynccontextmanager
async def open_authentication(
    settings: ApiSettings, registry: ServiceRegistry[Authenticator], services: Services
) -> AsyncGenerator[Authentication]:
    """Open the configured scheme."""
    if settings.auth == NONE:
        yield Authentication(None, allow_open=settings.allow_open)
        return
    async with registry.get(settings.auth)(services) as authenticator:
        yield Authentication(authenticator)
