"""Documents: of this program, and of the original service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from idolchat_cli.conversations.importing.candidate import Candidate, Findings, Skipped, derived_id
from idolchat_core.errors import ConversationDamaged
from idolchat_core.models import UtcTime
from idolchat_core.storage import document

__all__ = ["is_native", "read_native"]

_DATE: TypeAdapter[Any] = TypeAdapter(UtcTime)


def is_native(value: Mapping[str, Any]) -> bool:
    """Return whether an object is a document: it has messages, each of which has a role."""
    messages = value.get("messages")
    return isinstance(messages, list) and all(isinstance(one, Mapping) and "role" in one for one in messages)


def read_native(value: Mapping[str, Any], source: str, name: str) -> Findings:
    """Read a document; one without an id has that of its file's ``name``, where this is one."""
    given = value.get("id") or name
    try:
        conversation_id = UUID(str(given))
    except ValueError:
        if value.get("id"):
            yield Skipped(source, "document whose id is no UUID", detail=repr(given)[:60])
            return
        conversation_id = derived_id("file", source)
    try:
        yield Candidate(document.from_parts(_dated(value), conversation_id), source)
    except ConversationDamaged as error:
        yield Skipped(source, "document that is damaged", detail=str(error))


def _dated(value: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out dates that cannot be read: they are made as they are where there are none."""
    messages = [_without_bad_date(message, "timestamp") for message in value["messages"]]
    return {**_without_bad_date(value, "created_at", "updated_at"), "messages": messages}


def _without_bad_date(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: field for name, field in value.items() if name not in names or _is_date(field)}


def _is_date(value: Any) -> bool:
    try:
        _DATE.validate_python(value)
    except ValidationError:
        return False
    return True
