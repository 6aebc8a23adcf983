"""Hooks of the server. Mark an implementation ``@hookimpl(optionalhook=True)``, so that it loads without the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idolchat_api.auth.authenticator import Authenticator
from idolchat_core.plugins.hookspecs import hookspec
from idolchat_core.plugins.registry import ServiceRegistry

if TYPE_CHECKING:  # the command line reads these hooks too, without the server's routes
    from idolchat_api.routes.plugins import RouteRegistry

__all__ = ["idolchat_register_authenticators", "idolchat_register_routes"]


@hookspec
def idolchat_register_authenticators(registry: ServiceRegistry[Authenticator]) -> None:
    """Add authentication schemes for ``IDOLCHAT_AUTH``: ``registry.add("oidc", open_oidc)``."""


@hookspec
def idolchat_register_routes(registry: RouteRegistry) -> None:
    """Add routes and pages: ``registry.add_router(router, access=Access.CALLER, find={"note_id": may_access})``."""
