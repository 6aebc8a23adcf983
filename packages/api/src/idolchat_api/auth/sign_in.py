"""Where a page of this server gets tokens for the people who use it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["SignIn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A service that gives out the tokens of a scheme, as pages are told of it: nothing in it is a secret.

    ``kind`` names the protocol, such as ``supabase``; ``url`` is the address that pages ask, and ``public_key`` what
    they show there to be let through.
    """

    kind: str
    url: str
    public_key: str

    @property
    def origin(self) -> str:
        """The origin of ``url`` (RFC 6454), which pages may connect to."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"
