"""Keys, as a project has them, and what becomes of bad ones."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

__all__ = ["ANON", "EXPIRED", "FOREIGN", "GARBAGE", "LEGACY", "SECRET", "Caller", "caller_of"]

clock = time.time
_PROJECT = b"super-secret-jwt-token-with-at-least-32-characters"


def _jwt(role: str, *, secret: bytes = _PROJECT, expires_in_s: int = 3600) -> str:
    claims = {"iss": "supabase", "role": role, "exp": int(time.time()) + expires_in_s}
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{_signature(signed, secret)}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signature(signed: str, secret: bytes) -> str:
    return _encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))


SECRET = "sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz"
LEGACY = _jwt("service_role", expires_in_s=365 * 24 * 3600)
ANON = _jwt("anon", expires_in_s=365 * 24 * 3600)
EXPIRED = _jwt("service_role", expires_in_s=-60)
FOREIGN = _jwt("service_role", secret=b"the secret of some other project, not ours")
GARBAGE = "sb_secret_not-one-of-this-project"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls; ``problem`` is ``none``, ``expired``, ``signature`` or ``garbage`` where the key is no good."""

    role: str = ""
    problem: str = ""


def caller_of(authorization: str | None) -> Caller:
    """Read a header; the gateway exchanges a new secret key for a token of the service role."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        return Caller(problem="none")
    if token == SECRET:
        return Caller("service_role")
    signed, _, signature = token.rpartition(".")
    if signed.count(".") != 1:
        return Caller(problem="garbage")
    if not hmac.compare_digest(_signature(signed, _PROJECT), signature):
        return Caller(problem="signature")
    body = signed.partition(".")[2]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return Caller(problem="expired") if claims["exp"] <= clock() else Caller(claims["role"])
