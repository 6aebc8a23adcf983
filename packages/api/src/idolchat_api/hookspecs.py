"""Hooks of the server. Mark an implementation ``@hookimpl(optionalhook=True)``, so that it loads without the server."""

from __future__ import annotations

from idolchat_api.auth.authenticator import Authenticator
from idolchat_core.plugins.hookspecs import hookspec
from idolchat_core.plugins.registry import ServiceRegistry

__all__ = ["idolchat_register_authenticators"]


@hookspec
def idolchat_register_authenticators(registry: ServiceRegistry[Authenticator]) -> None:
    """Add authentication schemes for ``IDOLCHAT_AUTH``: ``registry.add("oidc", open_oidc)``."""
