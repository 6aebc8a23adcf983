"""A stand-in for a project's auth server, for tests: keys and user endpoint over HTTP on loopback; real signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = ["ANON_KEY", "SECRET", "Project", "SigningKey", "raw_token", "running_project"]

ANON_KEY = "sb_publishable_test"
SECRET = "a secret that both servers know, and nobody else"  # noqa: S105  of a stand-in


class SigningKey:
    """A key of the project, with what it publishes of it."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self.id = str(uuid4())
        self.algorithm = algorithm
        self.private: PrivateKeyTypes = (
            ec.generate_private_key(ec.SECP256R1())
            if algorithm == "ES256"
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )

    def public(self) -> dict[str, Any]:
        """Return what is published of it."""
        kind = jwt.get_algorithm_by_name(self.algorithm)
        shown: dict[str, Any] = json.loads(kind.to_jwk(self.private.public_key()))
        return shown | {"kid": self.id, "alg": self.algorithm, "use": "sig", "key_ops": ["verify"], "ext": True}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Make a token."""
        return jwt.encode(claims, self.private, algorithm=self.algorithm, headers={"kid": self.id, **header})  # type: ignore[arg-type]


class Project:
    """The auth server; ``fetches`` counts how often its keys were asked for, ``asked`` its users."""

    def __init__(self) -> None:
        self.keys = [SigningKey("ES256"), SigningKey("RS256")]
        self.fetches = 0
        self.asked = 0
        self.is_down = False
        self.url = ""

    def claims(self, **other: Any) -> dict[str, Any]:
        """Return the claims of an access token as Supabase makes them, with some changed; None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": f"{self.url}/auth/v1",
            "sub": str(uuid4()),
            "aud": "authenticated",
            "exp": now + 3600,
            "iat": now,
            "email": "a@example.com",
            "phone": "",
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {"role": "admin", "is_admin": True, "sub": str(uuid4())},
            "role": "authenticated",
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}],
            "session_id": str(uuid4()),
            "is_anonymous": False,
        }
        return {name: value for name, value in (claims | other).items() if value is not None}

    def token(self, **other: Any) -> str:
        """Make the token of a session, see ``claims``."""
        return self.keys[0].sign(self.claims(**other))

    async def jwks(self, request: web.Request) -> web.Response:
        """Publish the keys."""
        self.fetches += 1
        if self.is_down:
            raise web.HTTPServiceUnavailable
        return web.json_response({"keys": [key.public() for key in self.keys]})

    async def user(self, request: web.Request) -> web.Response:
        """Return whose an HS256 token is."""
        self.asked += 1
        if self.is_down:
            raise web.HTTPServiceUnavailable
        if request.headers.get("apikey") != ANON_KEY:
            return web.json_response({"message": "Invalid API key"}, status=401)
        token = request.headers["Authorization"].removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="authenticated")
        except jwt.PyJWTError:
            return web.json_response({"code": 403, "error_code": "bad_jwt", "msg": "invalid JWT"}, status=403)
        return web.json_response({"id": claims["sub"], "aud": "authenticated", "role": "authenticated"})


@asynccontextmanager
async def running_project() -> AsyncGenerator[Project]:
    """Serve a project on a free loopback port."""
    project, app = Project(), web.Application()
    app.router.add_get("/auth/v1/.well-known/jwks.json", project.jwks)
    app.router.add_get("/auth/v1/user", project.user)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        project.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield project
    finally:
        await runner.cleanup()


def raw_token(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None = None) -> str:
    """Write a token that no honest library would: unsigned, or signed with whatever key."""
    signed = b".".join(_b64(json.dumps(part).encode()) for part in (header, claims))
    signature = b"" if secret is None else hmac.new(secret, signed, hashlib.sha256).digest()
    return b".".join((signed, _b64(signature))).decode()


def _b64(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")
