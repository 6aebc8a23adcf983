"""Connects to a server, directly or through a proxy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from aiohappyeyeballs import start_connection

from idolchat_llm_openrouter.http.errors import reason_of
from idolchat_llm_openrouter.http.name_lookup import NameLookup
from idolchat_llm_openrouter.http.proxy import PORTS, Proxy
from idolchat_llm_openrouter.http.tunnel import Tunnel
from idolchat_llm_openrouter.transport import TransportError

__all__ = ["Connector"]

NEXT_ADDRESS_AFTER_S = 0.25
"""How long to wait for one address of a server before the next is tried as well (RFC 8305, section 5)."""


class Connector:
    """Opens connections to the server of a URL, through ``proxy`` if there is one."""

    def __init__(self, url: str, proxy: Proxy | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or PORTS[parts.scheme]
        self._proxy = proxy
        self._lookup = NameLookup(proxy.host, proxy.port) if proxy else NameLookup(self._host, self._port)
        self._tls = _system_trust() if parts.scheme == "https" else None
        self._tls_to_proxy = _system_trust() if proxy and proxy.speaks_tls else None

    async def open(self, protocol: asyncio.Protocol) -> None:
        """Connect ``protocol`` to the server. Raises ``TransportError``."""
        if self._proxy is None:
            with _translated_errors():
                await self._connect(protocol, self._tls, name=self._host)
        elif self._tls is None:
            with _translated_errors(f"{self._proxy.name}: "):
                await self._connect(protocol, self._tls_to_proxy, name=self._proxy.host)
        else:
            await self._open_through(self._proxy, protocol, self._tls)

    async def _open_through(self, proxy: Proxy, protocol: asyncio.Protocol, tls: ssl.SSLContext) -> None:
        tunnel = Tunnel(proxy.name)
        try:
            with _translated_errors(f"{proxy.name}: "):
                await self._connect(tunnel, self._tls_to_proxy, name=proxy.host)
                transport = await tunnel.reach(self._host, self._port, proxy.authorization)
            with _translated_errors():
                secured = await asyncio.get_running_loop().start_tls(
                    transport, protocol, tls, server_hostname=self._host
                )
        except BaseException:
            tunnel.abort()
            raise
        if secured is None:  # the connection was lost in the very moment that it was there
            raise TransportError("it closed the connection")
        protocol.connection_made(secured)

    async def _connect(self, protocol: asyncio.Protocol, tls: ssl.SSLContext | None, *, name: str) -> None:
        """Connect to the server, or to the proxy before it; ``name`` is what its certificate is for."""
        loop = asyncio.get_running_loop()
        addresses = await self._lookup.addresses()
        try:
            # uvloop's create_connection tries one address after another.
            connected = await start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_AFTER_S, loop=loop)
        except BaseException:
            self._lookup.forget()
            raise
        try:
            await loop.create_connection(
                lambda: protocol, sock=connected, ssl=tls, server_hostname=name if tls is not None else None
            )
        except BaseException:
            connected.close()
            raise


def _system_trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@contextmanager
def _translated_errors(who: str = "") -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise TransportError(f"{who}its certificate is not trusted: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise TransportError(f"{who}it does not speak TLS as we do: {error.reason}") from error
    except TimeoutError:
        raise
    except OSError as error:
        raise TransportError(who + reason_of(error)) from error
