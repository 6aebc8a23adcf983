"""Serializes requests to one server."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, quote, urlsplit

from idolchat_llm_openrouter.http.proxy import PORTS, Proxy

__all__ = ["RequestWriter"]

UNQUOTED_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"
"""What a request target holds unencoded beside letters, digits and `-._` (RFC 3986, section 2.2)."""


class RequestWriter:
    """Writes requests below ``base_url``. The head of a POST is written once for each path.

    ``headers`` are those of every request. To a proxy that passes requests on, the target is a whole URL (RFC 9112,
    section 3.2.2); to one that makes a tunnel, nothing shows.
    """

    def __init__(self, base_url: str, headers: Mapping[str, str], *, proxy: Proxy | None = None) -> None:
        parts = urlsplit(base_url)
        forwarding = proxy if parts.scheme == "http" else None
        fields = {"Host": _host(parts), **headers}
        if forwarding and forwarding.authorization:
            fields["Proxy-Authorization"] = forwarding.authorization
        self._base = quote(base_url if forwarding else parts.path, safe=UNQUOTED_CHARACTERS)
        self._fields = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._posts: dict[str, bytes] = {}

    def get(self, path: str) -> bytes:
        """Write a GET; the path may have a query."""
        return f"GET {self._base}{path} HTTP/1.1\r\n{self._fields}\r\n".encode()

    def post(self, path: str, body: bytes, *, traceparent: str | None = None) -> bytes:
        """Write a request that posts JSON. Raises ``ValueError`` where ``traceparent`` is not one line."""
        head = self._posts.get(path) or self._post_head(path)
        if traceparent is None:
            return b"%b%d\r\n\r\n%b" % (head, len(body), body)
        if not traceparent.isprintable():
            raise ValueError("traceparent must be one line")
        return b"%b%d\r\ntraceparent: %b\r\n\r\n%b" % (head, len(body), traceparent.encode(), body)

    def _post_head(self, path: str) -> bytes:
        self._posts[path] = head = (
            f"POST {self._base}{path} HTTP/1.1\r\n{self._fields}Accept: text/event-stream, application/json\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        return head


def _host(url: SplitResult) -> str:
    host = (url.hostname or "").encode("idna").decode()
    if ":" in host:
        host = f"[{host}]"
    return host if url.port in (None, PORTS[url.scheme]) else f"{host}:{url.port}"
