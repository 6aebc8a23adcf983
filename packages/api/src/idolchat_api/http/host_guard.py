"""Checks before routing: the host, the origin of a web page, the size of the body.

A browser lets any web page send requests to a server on the same machine. Without a login, the host and origin checks
are what keeps such a page out: a page elsewhere sends its ``Origin`` with whatever can change something, and one that
has its own name resolve to this machine (DNS rebinding) sends that name as ``Host``.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Message, Receive, Scope

from idolchat_api.addresses import is_loopback
from idolchat_api.errors import BodyTooLarge, HostNotAllowed, OriginNotAllowed
from idolchat_api.settings.api import ApiSettings

__all__ = ["Guard"]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, section 9.2.1


class Guard:
    """Checks the headers of every request and socket handshake.

    ``body_limits`` are the bytes of a body at paths that take more, or less, than others.
    """

    def __init__(self, settings: ApiSettings, *, body_limits: Mapping[str, int] | None = None) -> None:
        self._body_limits = body_limits or {}
        self._any_host = "*" in settings.allowed_hosts or not (settings.allowed_hosts or is_loopback(settings.host))
        self._hosts = frozenset(settings.allowed_hosts) | {settings.host.lower()}
        self._origins = frozenset(settings.allowed_origins)
        self._max_body_bytes = settings.max_body_bytes

    def check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Check the headers. Raises ``HostNotAllowed``, ``OriginNotAllowed``, ``BodyTooLarge``."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._any_host and host:
            self._check_host(_without_port(host))
        origin = headers.get(b"origin")
        # A page's preflight request comes this far where no origin is let in; its refusal says which setting does.
        is_preflight = b"access-control-request-method" in headers
        if origin is not None and (
            scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS or is_preflight
        ):
            self._check_origin(origin.decode("latin-1").lower(), host)
        length = headers.get(b"content-length")
        if length is not None and int(length) > self._limit(scope):
            raise self._too_large(f"the body has {int(length)} bytes", scope)

    def limited(self, scope: Scope, receive: Receive, headers: Mapping[bytes, bytes]) -> Receive:
        """Limit a body without ``Content-Length``: the ``receive`` that is returned raises ``BodyTooLarge``."""
        if b"transfer-encoding" not in headers:
            return receive
        received_bytes = 0

        async def counted() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._limit(scope):
                raise self._too_large("the body is longer", scope)
            return message

        return counted

    def _check_host(self, name: str) -> None:
        if name not in self._hosts and not is_loopback(name):
            raise HostNotAllowed(
                "the request names a host that is not this server's; to serve it, add the name to"
                " IDOLCHAT_API_ALLOWED_HOSTS"
            )

    def _check_origin(self, origin: str, host: str) -> None:
        if origin.partition("://")[2] != host and origin not in self._origins:
            raise OriginNotAllowed(
                "a web page of another origin may not do this; to let it, add its origin to"
                " IDOLCHAT_API_ALLOWED_ORIGINS"
            )

    def _limit(self, scope: Scope) -> int:
        return self._body_limits.get(scope["path"], self._max_body_bytes)

    def _too_large(self, found: str, scope: Scope) -> BodyTooLarge:
        variable = "" if scope["path"] in self._body_limits else " (IDOLCHAT_API_MAX_BODY_BYTES)"
        return BodyTooLarge(f"{found}; at most {self._limit(scope)} are read{variable}")


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
