"""A trusted proxy's headers: the client's address, and the path that the proxy serves us under."""

from __future__ import annotations

from typing import cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from idolchat_api.http.path_prefix import set_prefix

__all__ = ["Forwarded"]

_PREFIX = b"x-forwarded-prefix"


class Forwarded(ProxyHeadersMiddleware):
    """uvicorn's middleware, which reads ``X-Forwarded-Prefix`` as well."""

    def __init__(self, app: ASGIApp, trusted: list[str]) -> None:
        super().__init__(cast(ASGI3Application, app), trusted_hosts=trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        client = scope.get("client")
        if client and client[0] in self.trusted_hosts:
            told = dict(scope.get("headers", ())).get(_PREFIX)
            if told is not None:
                set_prefix(scope, told)
        await super().__call__(scope, receive, send)  # type: ignore[arg-type]
