"""Assertions of Open WebUI: JSON Web Tokens (RFC 7519) with HMAC SHA-256, for this one issuer."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from typing import Any

import orjson

from idolchat_api import Unauthenticated

__all__ = ["HEADER", "ISSUER", "subject_of"]

HEADER = b"x-openwebui-user-jwt"
ISSUER = "open-webui"
LEEWAY_S = 10
"""By which clocks may differ."""
MAX_BYTES = 8192


def subject_of(token: bytes, secret: str) -> str:
    """Return the user that a token names. Raises ``Unauthenticated`` for every token that is not good."""
    head, payload, signature = _parts(token)
    expected = hmac.new(secret.encode(), b".".join(token.split(b".")[:2]), hashlib.sha256).digest()
    if head.get("alg") != "HS256" or not hmac.compare_digest(expected, signature):
        raise _refused("is not signed with IDOLCHAT_V1_USER_JWT_SECRET")
    now = time.time()
    if payload.get("iss") != ISSUER:
        raise _refused(f"is not issued by {ISSUER}")
    if not _number(payload.get("exp")) > now - LEEWAY_S:
        raise _refused("has expired")
    if _number(payload.get("nbf", 0)) > now + LEEWAY_S or _number(payload.get("iat", 0)) > now + LEEWAY_S:
        raise _refused("is not good yet: the clocks differ")
    subject = payload.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= 256:
        raise _refused("names no user in sub")
    return subject


def _parts(token: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    parts = token.split(b".")
    if len(parts) != 3 or len(token) > MAX_BYTES:
        raise _refused("is no JSON Web Token")
    try:
        head, payload, signature = [_decoded(part) for part in parts]
        return _object(head), _object(payload), signature
    except (binascii.Error, ValueError):
        raise _refused("is no JSON Web Token") from None


def _decoded(part: bytes) -> bytes:
    if b"=" in part or b"+" in part or b"/" in part:
        raise ValueError
    return base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _object(data: bytes) -> dict[str, Any]:
    value = orjson.loads(data)
    if not isinstance(value, dict):
        raise ValueError
    return value


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"the token in {HEADER.decode()} {why}")
