"""``GET /web/session``: what the page asks first."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from idolchat_api import CurrentCaller, sign_in_of

__all__ = ["Session", "router"]

_WITHOUT_LOGIN = frozenset({"local", "anyone"})
_STRANGER = "nobody"

router = APIRouter(prefix="/web", tags=["web"])


class SignInService(BaseModel):
    """Who gives people their tokens: the page asks ``url`` with ``public_key``, by the protocol ``kind``."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    kind: str
    url: str
    public_key: str


class Session(BaseModel):
    """Who asks, and what this server has for them.

    ``login`` is ``none`` where the server asks for no token, ``needed`` while it has got none, ``given`` after that.
    ``routes`` are those of the server and its plugins, such as ``GET /characters``, by which the page shows what is
    installed and nothing else. A stranger is not told them, but where to sign in, if there is such a place.
    """

    model_config = ConfigDict(frozen=True)

    login: Literal["none", "needed", "given"]
    user_id: UUID | None = None
    scopes: tuple[str, ...] = ()
    is_operator: bool = False
    expires_at: datetime | None = None
    routes: tuple[str, ...] = ()
    sign_in: SignInService | None = None


@router.get("/session")
async def get_session(request: Request, caller: CurrentCaller) -> Session:
    """Report who the caller is and which routes there are. 401 for a token that is not good."""
    principal = caller.principal
    if principal.subject == _STRANGER:
        service = sign_in_of(request)
        return Session(login="needed", sign_in=SignInService.model_validate(service) if service else None)
    return Session(
        login="none" if principal.subject in _WITHOUT_LOGIN else "given",
        user_id=principal.user_id,
        scopes=tuple(sorted(principal.scopes)),
        is_operator=principal.is_operator,
        expires_at=principal.expires_at,
        routes=_routes(request),
    )


def _routes(request: Request) -> tuple[str, ...]:
    found = {
        f"{method} {route.path}"
        for route in request.app.routes
        for method in getattr(route, "methods", None) or ()
        if method not in ("HEAD", "OPTIONS")
    }
    return tuple(sorted(found))
