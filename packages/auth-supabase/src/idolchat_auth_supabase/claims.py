"""What a good token says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt

from idolchat_api.auth import Principal, Scope, TokenExpired, Unauthenticated
from idolchat_auth_supabase.settings import SupabaseAuthSettings

__all__ = ["NOT_GOOD", "decoded", "principal_of"]

NOT_GOOD = "this is no good token of a user of the project"
ROLE = "authenticated"


def decoded(
    token: str, key: Any, *, settings: SupabaseAuthSettings, checks_signature: bool = True
) -> Mapping[str, Any]:
    """Read a token and check all that it says of itself. Raises ``Unauthenticated``.

    Without ``checks_signature`` somebody else has to tell whether to believe it.
    """
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(settings.algorithms),
            audience=settings.audience,
            issuer=settings.issuer or settings.auth_url,
            leeway=settings.leeway_s,
            options={
                "require": ["exp", "iss", "aud", "sub"],
                "verify_signature": checks_signature,
                "verify_exp": True,
                "verify_nbf": True,
                "verify_aud": True,
                "verify_iss": True,
            },
        )
    except jwt.ExpiredSignatureError:
        raise TokenExpired("the token has expired; refresh the session") from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):  # of a header or claim of the wrong type
        raise Unauthenticated(NOT_GOOD) from None
    return claims


def principal_of(claims: Mapping[str, Any], settings: SupabaseAuthSettings) -> Principal:
    """Return who a token is of. Raises ``Unauthenticated``.

    The project's own anon and service_role keys are such tokens too, and not a user's: they have another role, and no
    ``sub``. ``user_metadata`` is what users write themselves, so nothing is read from there.
    """
    if claims.get("role") != ROLE:
        raise Unauthenticated(f"{NOT_GOOD}: its role is not {ROLE}; keys of the project let nobody in here")
    if claims.get("is_anonymous") not in (None, False) and not settings.allow_anonymous:
        raise Unauthenticated("users who signed in anonymously are not let in (IDOLCHAT_SUPABASE_ALLOW_ANONYMOUS)")
    try:
        user_id = UUID(claims["sub"])
        expires_at = datetime.fromtimestamp(float(claims["exp"]), UTC) + timedelta(seconds=settings.leeway_s)
    except (ValueError, TypeError, AttributeError, OverflowError, OSError):
        raise Unauthenticated(NOT_GOOD) from None
    return Principal(subject=f"user:{user_id}", scopes=frozenset({Scope.CHAT}), user_id=user_id, expires_at=expires_at)
