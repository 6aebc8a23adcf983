"""Links in messages that a provider may follow: none may lead into the server's own network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from idolchat_core.errors import InvalidRequest

__all__ = ["check_links"]

MAX_DEPTH = 4


def check_links(parts: Sequence[dict[str, Any]], param: str) -> None:
    """Raise ``InvalidRequest`` for a link in content parts that is neither ``data:`` nor ``https:`` to a named host."""
    for link in _links(list(parts), MAX_DEPTH):
        if not _is_harmless(link):
            raise InvalidRequest(
                f"{param}: a link must be data:, or https: to a host with a name; others may be the server's own",
                param=param,
            )


def _links(value: object, depth: int) -> Iterator[str]:
    """Find the values of fields named ``url``, or ending in it, at any depth."""
    if depth and isinstance(value, list):
        for one in value:
            yield from _links(one, depth)
    elif depth and isinstance(value, dict):
        for name, one in value.items():
            if isinstance(one, str) and str(name).lower().endswith("url"):
                yield one
            else:
                yield from _links(one, depth - 1)


def _is_harmless(link: str) -> bool:
    if link[:5].lower() == "data:":
        return True
    try:
        parts = urlsplit(link)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    # A number in whatever form is an address: 127.1, 0x7f000001, 2130706433, ::ffff:7f00:1 (CVE-2026-31943).
    is_named = "." in host and not host.endswith((".localhost", ".local", ".internal")) and host[-1].isalpha()
    return parts.scheme == "https" and is_named and not _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.rpartition(".")[2].startswith("0x")
    return True
