"""A stand-in for a project's auth server, for tests: keys, users, sessions over HTTP on loopback; real signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any
from uuid import uuid4

import jwt
from aiohttp import web
from aiohttp.typedefs import Handler
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = ["ANON_KEY", "SECRET", "Project", "SigningKey", "User", "raw_token", "running_project"]

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


@dataclass(slots=True, kw_only=True)
class User:
    """Somebody who signs in by e-mail."""

    email: str
    password: str
    id: str = field(default_factory=lambda: str(uuid4()))
    is_confirmed: bool = True


@dataclass(slots=True)
class _Session:
    """A session; of its refresh tokens the last is good, and the one before it gets that again."""

    user: User
    id: str = field(default_factory=lambda: str(uuid4()))
    refresh_tokens: list[str] = field(default_factory=list)


class Project:
    """The auth server; ``fetches`` counts how often its keys were asked for, ``asked`` its users.

    ``users`` sign in for ``lifetime_s``. ``grants`` are those that were given, in order.
    """

    def __init__(self) -> None:
        self.keys = [SigningKey("ES256"), SigningKey("RS256")]
        self.fetches = 0
        self.asked = 0
        self.is_down = False
        self.url = ""
        self.users: list[User] = []
        self.lifetime_s = 3600
        self.grants: list[str] = []
        self._sessions: dict[str, _Session] = {}

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

    async def token_grant(self, request: web.Request) -> web.Response:
        """Begin or continue a session (supabase/auth ``internal/api/token.go``, read 2026-11-29)."""
        if self.is_down:
            raise web.HTTPServiceUnavailable
        if request.headers.get("apikey") != ANON_KEY:
            return web.json_response({"message": "Invalid API key"}, status=401)
        asked, kind = await request.json(), request.query.get("grant_type", "")
        if kind == "password":
            return self._password_grant(kind, asked)
        if kind == "refresh_token":
            return self._refresh_grant(kind, asked)
        return _refused(400, "invalid_credentials", "unsupported_grant_type")

    def _password_grant(self, kind: str, asked: dict[str, str]) -> web.Response:
        if not asked.get("email"):
            return _refused(400, "validation_failed", "missing email or phone")
        user = next((one for one in self.users if one.email == asked["email"].lower()), None)
        if user is None or user.password != asked.get("password"):
            return _refused(400, "invalid_credentials", "Invalid login credentials")
        if not user.is_confirmed:
            return _refused(400, "email_not_confirmed", "Email not confirmed")
        session = _Session(user)
        self._sessions[session.id] = session
        return self._granted(kind, session, new=True)

    def _refresh_grant(self, kind: str, asked: dict[str, str]) -> web.Response:
        given = asked.get("refresh_token", "")
        session = next((one for one in self._sessions.values() if given in one.refresh_tokens), None)
        if session is None:
            return _refused(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
        if given not in session.refresh_tokens[-2:]:
            del self._sessions[session.id]
            return _refused(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
        # Who has the one before it could not keep what came of it.
        return self._granted(kind, session, new=given == session.refresh_tokens[-1])

    def _granted(self, kind: str, session: _Session, *, new: bool) -> web.Response:
        if new:
            session.refresh_tokens.append(token_urlsafe(9))
        self.grants.append(kind)
        expires_at, user = int(time.time()) + self.lifetime_s, session.user
        token = self.token(sub=user.id, email=user.email, session_id=session.id, exp=expires_at)
        told: dict[str, Any] = {
            "access_token": token,
            "token_type": "bearer",
            "refresh_token": session.refresh_tokens[-1],
        }
        told |= {"user": {"id": user.id, "aud": "authenticated", "role": "authenticated", "email": user.email}}
        return web.json_response(told | {"expires_in": self.lifetime_s, "expires_at": expires_at})

    async def logout(self, request: web.Request) -> web.Response:
        """End the session of a token, or all of its user's (``internal/api/logout.go``)."""
        if self.is_down:
            raise web.HTTPServiceUnavailable
        scope = request.query.get("scope", "global")
        if scope not in ("global", "local"):
            return _refused(400, "validation_failed", f'Unsupported logout scope "{scope}"')
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False})
        ended = self._sessions.pop(claims["session_id"], None)
        if ended is None:
            return _refused(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        if scope == "global":
            self._sessions = {held: one for held, one in self._sessions.items() if one.user is not ended.user}
        return web.Response(status=204)

    def end_sessions(self) -> None:
        """End them all, as the project's dashboard may."""
        self._sessions.clear()

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)


def _refused(status: int, code: str, message: str) -> web.Response:
    body = {"code": status, "error_code": code, "msg": message}
    return web.json_response(body, status=status, headers={"x-sb-error-code": code})


@web.middleware
async def _shared(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Allow pages of any origin, as the gateway of a project does."""
    try:
        answer: web.StreamResponse = web.Response() if request.method == "OPTIONS" else await handler(request)
    except web.HTTPException as error:
        answer = web.Response(status=error.status)
    answer.headers["access-control-allow-origin"] = "*"
    answer.headers["access-control-allow-headers"] = request.headers.get("access-control-request-headers", "*")
    answer.headers["access-control-allow-methods"] = "GET,POST,PUT,PATCH,DELETE"
    return answer


@asynccontextmanager
async def running_project() -> AsyncGenerator[Project]:
    """Serve a project on a free loopback port."""
    project, app = Project(), web.Application(middlewares=[_shared])
    app.router.add_get("/auth/v1/.well-known/jwks.json", project.jwks)
    app.router.add_get("/auth/v1/user", project.user)
    app.router.add_post("/auth/v1/token", project.token_grant)
    app.router.add_post("/auth/v1/logout", project.logout)
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
