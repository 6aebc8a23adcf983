"""What this package adds to a server: the page at ``/``, and what it asks first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from idolchat_core import hookimpl

if TYPE_CHECKING:  # `idol` loads this module without a server
    from idolchat_api import RouteRegistry

__all__ = ["idolchat_register_routes"]

STATIC = Path(__file__).parent / "static"


@hookimpl(optionalhook=True)
def idolchat_register_routes(registry: RouteRegistry) -> None:
    """Register the page and its session."""
    from idolchat_api import Access  # noqa: PLC0415  a command imports every plugin, and needs no server
    from idolchat_web.session import router  # noqa: PLC0415

    registry.add_router(router, access=Access.OPEN)
    registry.add_static("/", STATIC, access=Access.OPEN)
