"""Addresses of hosts and clients."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

__all__ = ["Networks", "counted_address", "is_loopback"]

EVERYWHERE = "*"

IPV6_PREFIX = 64
"""What one customer of a provider has at least (RFC 6177): addresses below it are one client."""


@lru_cache(maxsize=4096)
def counted_address(host: str) -> str | None:
    """Return the address or network that limits count a client by; None for loopback and for what is no IP address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is a loopback one; names are not resolved."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Networks:
    """Addresses and networks, such as ``192.0.2.1`` and ``10.0.0.0/8``; ``*`` holds every host.

    Raises ``ValueError`` for what is neither, and says what to write.
    """

    def __init__(self, names: Iterable[str]) -> None:
        names = tuple(names)
        self._has_all = EVERYWHERE in names
        self._networks = tuple(_network(name) for name in names if name != EVERYWHERE)

    def __contains__(self, host: str) -> bool:
        if self._has_all or not self._networks:
            return self._has_all
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _network(name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(name)
    except ValueError as error:
        meant = _network_around(name)
        write = f"write {meant}" if meant else "write an address, such as 10.0.0.5, or a network, such as 10.0.0.0/8"
        raise ValueError(f"{name!r} is no address and no network; {write}") from error


def _network_around(name: str) -> str | None:
    """Return the network in which an address with the length of a prefix is; None for anything else."""
    try:
        return str(ipaddress.ip_network(name, strict=False))
    except ValueError:
        return None
