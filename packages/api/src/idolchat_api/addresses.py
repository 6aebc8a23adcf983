"""Addresses of hosts and clients."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

__all__ = ["counted_address", "is_loopback"]

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
