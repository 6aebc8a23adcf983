"""The proxy that the environment names."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from idolchat_core import ConfigurationError

__all__ = ["PORTS", "Proxy", "proxy_for"]

PORTS = {"http": 80, "https": 443}
"""The ports of URLs that name none."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; ``authorization`` is the value of its Proxy-Authorization header."""

    host: str
    port: int
    speaks_tls: bool
    authorization: str | None = None

    @property
    def name(self) -> str:
        """The name of the proxy in messages."""
        return f"the proxy {self.host}:{self.port}"


def proxy_for(url: str) -> Proxy | None:
    """Find the proxy for a server in ``http_proxy``, ``https_proxy`` and ``no_proxy``.

    Raises ``ConfigurationError`` that names the variable, and not its value, which may hold a password.
    """
    server = urlsplit(url)
    given = None if proxy_bypass(server.netloc) else getproxies().get(server.scheme)
    if not given:
        return None
    parts = _split(given if "://" in given else f"http://{given}")
    if parts is None or parts.scheme not in PORTS or not parts.hostname:
        raise ConfigurationError(
            f"{server.scheme.upper()}_PROXY names no HTTP proxy; write a URL such as http://proxy.example:3128"
        )
    return Proxy(
        host=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        speaks_tls=parts.scheme == "https",
        authorization=_authorization(parts),
    )


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # is read only here, and may be no number
    except ValueError:
        return None
    return parts


def _authorization(parts: SplitResult) -> str | None:
    """Encode user and password for Proxy-Authorization (RFC 7617)."""
    if parts.username is None:
        return None
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"
