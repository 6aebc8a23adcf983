"""Notes of users: routes under /notes, and a page at /notes-page/."""

from pathlib import Path
from typing import TYPE_CHECKING

from idolchat_core import hookimpl

if TYPE_CHECKING:
    from idolchat_api import RouteRegistry


@hookimpl(optionalhook=True)
def idolchat_register_routes(registry: "RouteRegistry") -> None:
    # Imported here, since `idol` loads this module without a server.
    from idolchat_api import Access  # noqa: PLC0415
    from idolchat_notes.routes import may_access, router  # noqa: PLC0415

    registry.add_router(router, access=Access.CALLER, find={"note_id": may_access})
    registry.add_static("/notes-page", Path(__file__).parent / "page", access=Access.OPEN)
