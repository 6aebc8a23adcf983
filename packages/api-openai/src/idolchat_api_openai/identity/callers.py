"""Who is calling, and for whom: a token says who; a trusted back end, or a signed assertion, says for which user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from starlette.types import Scope as AsgiScope

from idolchat_api import Caller, Principal, Scope
from idolchat_api_openai.identity.jwt import HEADER, ISSUER, subject_of
from idolchat_api_openai.identity.users import ForeignUsers
from idolchat_api_openai.requests.hints import MAX_CHARACTERS
from idolchat_api_openai.settings import OpenAISettings

__all__ = ["Identities", "named_in_body"]

_HEADERS = (
    (b"x-idolchat-user", None),
    (b"x-openwebui-user-id", ISSUER),
    (b"x-librechat-user-id", "librechat"),
)
"""Headers that name a user, and who issues the ids in them; None: whom ``X-Idolchat-Issuer`` names."""


class Identities:
    """Finds out for whom a request is made."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._secret = settings.user_jwt_secret.get_secret_value() if settings.user_jwt_secret else None

    async def identify(self, scope: AsgiScope, caller: Caller) -> Principal:
        """Return who is calling, bound to the user that an assertion or a trusted caller's header names.

        Raises ``Unauthenticated`` for an assertion that is not good.
        """
        headers = dict(scope["headers"])
        principal = caller.principal
        if self._secret is not None and (token := headers.get(HEADER)):
            subject = subject_of(token, self._secret)
            user_id = await ForeignUsers(caller.service.storage).user(ISSUER, subject)
            if principal.user_id is not None and principal.user_id != user_id:
                return principal  # the key is a user's own, whatever front end it is used in
            if principal.is_trusted:
                return acting_for(principal, user_id)
            return Principal(subject=f"user:{user_id}", scopes=frozenset({Scope.CHAT}), user_id=user_id)
        if principal.is_trusted and (named := _named(headers)) is not None:
            return acting_for(principal, await ForeignUsers(caller.service.storage).user(*named))
        return principal


async def named_in_body(caller: Caller, name: str | None) -> Caller:
    """Return the caller, bound to the user that a trusted caller's request names in ``user``."""
    if not name or not caller.principal.is_trusted:
        return caller
    user_id = await ForeignUsers(caller.service.storage).user("openai", name)
    return replace(caller, principal=acting_for(caller.principal, user_id))


def acting_for(principal: Principal, user_id: UUID) -> Principal:
    """Return a trusted principal as it speaks for one user: it may do what that user may."""
    scope = Scope.CHAT if principal.may(Scope.CHAT) else Scope.READ
    return replace(principal, user_id=user_id, scopes=frozenset({scope}), is_trusted=False)


def _named(headers: Mapping[bytes, bytes]) -> tuple[str, str] | None:
    for header, issuer in _HEADERS:
        name = headers.get(header, b"").decode("utf-8", "replace").strip()[:MAX_CHARACTERS]
        if name and not name.startswith("{{"):
            given = headers.get(b"x-idolchat-issuer", b"").decode("utf-8", "replace").strip()[:MAX_CHARACTERS]
            return issuer or given or "idolchat", name
    return None
