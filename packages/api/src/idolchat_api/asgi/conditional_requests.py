"""Conditional requests on conversations: ``ETag``, ``If-None-Match``, ``If-Match`` (RFC 9110, sections 8.8.3, 13)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from idolchat_api.errors import MalformedRequest
from idolchat_core.errors import RevisionMismatch

__all__ = ["etag", "expected_revision", "is_unchanged"]

_TAG = re.compile(rb'(W/)?"([!#-~\x80-\xff]*)"')
_LIST = re.compile(rb'\s*(?:W/)?"[!#-~\x80-\xff]*"\s*(?:,\s*(?:W/)?"[!#-~\x80-\xff]*"\s*)*')

type Headers = Iterable[tuple[bytes, bytes]]


def etag(revision: str) -> str:
    """Return the ETag that stands for a revision."""
    return f'"{revision}"'


def is_unchanged(headers: Headers, revision: str) -> bool:
    """Whether ``If-None-Match`` names this revision, so that the client has what it asks for."""
    value = _joined(headers, b"if-none-match")
    return value == b"*" or any(tag == revision.encode() for _, tag in _TAG.findall(value or b""))


def expected_revision(headers: Headers) -> str | None:
    """Return the revision that ``If-Match`` asks for; None where there is none, or any will do (``*``).

    Raises ``MalformedRequest``, and ``RevisionMismatch`` for a weak ETag, which matches nothing.
    """
    value = _joined(headers, b"if-match")
    if value is None or value == b"*":
        return None
    tags = _TAG.findall(value) if _LIST.fullmatch(value) else []
    if len(tags) != 1:
        raise MalformedRequest(
            'the If-Match header must be one ETag as reading the conversation gave it, such as "2a.5f1", or *',
            param="If-Match",
        )
    weak, tag = tags[0]
    if weak:
        raise RevisionMismatch("the If-Match header has a weak ETag, which never matches; send it as it was given")
    return str(tag.decode("latin-1"))


def _joined(headers: Headers, name: bytes) -> bytes | None:
    values = [value.strip() for key, value in headers if key == name]
    return b", ".join(values) if values else None
