"""Documents: of this program, and of the original service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from idolchat_cli.conversations.importing.candidate import Candidate, Finding, NotTaken, derived_id
from idolchat_core.errors import ConversationDamaged
from idolchat_core.storage import document

__all__ = ["is_native", "read_native"]


def is_native(value: Mapping[str, Any]) -> bool:
    """Tell whether an object is a document."""
    return isinstance(value.get("messages"), list)


def read_native(value: Mapping[str, Any], source: str, *, name: str) -> Finding:
    """Read a document; one without an id has that of its file's ``name``, where this is one."""
    given = value.get("id") or name
    try:
        conversation_id = UUID(str(given))
    except ValueError:
        if value.get("id"):
            return NotTaken(source, f"its id {str(given)[:60]!r} is no UUID")
        conversation_id = derived_id("file", source)
    try:
        return Candidate(document.from_parts(dict(value), conversation_id), source)
    except ConversationDamaged as error:
        return NotTaken(source, str(error))
