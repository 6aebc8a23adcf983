"""Read the content of a message, which most programs write as a text, or as a list of parts of many kinds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from idolchat_cli.conversations.importing.exported import Attachment

__all__ = [
    "Content",
    "attachment",
    "key_in",
    "list_in",
    "mapping_in",
    "mappings_in",
    "read_content",
    "string_in",
    "text_of",
]

_TEXT_FIELDS = ("text", "value", "message", "content", "parts")
_THOUGHT_FIELDS = ("thinking", "think", "reasoning", "thoughts", "summary")
_NAME_FIELDS = (
    "file_name", "filename", "name", "title", "filepath", "url", "image_url", "asset_pointer", "file_id",
    "file_uuid", "id",
)  # fmt: skip
_ATTACHED = re.compile("image|video|audio|file|document|attachment")
_THOUGHT = re.compile("think|thought|reasoning")
_TOOLS = re.compile("tool|function|code_interpreter|web_search|execution")
_DATA_URL = re.compile("data:", re.IGNORECASE)


@dataclass(slots=True)
class Content:
    """What a message says, what the model thought before, what is beside it, and the kinds of what is left out."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def text(self, separator: str = "\n") -> str:
        """Join what is said."""
        return separator.join(text for text in self.texts if text)

    @property
    def reasoning(self) -> str | None:
        """What the model thought, or None."""
        return "\n\n".join(thought for thought in self.thoughts if thought.strip()) or None


def mapping_in(value: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return a field that is an object; an empty one where it is none."""
    found = value.get(field)
    return found if isinstance(found, Mapping) else {}


def list_in(value: Mapping[str, Any], field: str) -> list[Any]:
    """Return a field that is a list; an empty one where it is none."""
    found = value.get(field)
    return found if isinstance(found, list) else []


def mappings_in(value: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    """Return the objects of a field that is a list."""
    return [one for one in list_in(value, field) if isinstance(one, Mapping)]


def string_in(value: Mapping[str, Any], *fields: str) -> str | None:
    """Return the first of some fields that is a text and not empty."""
    return next((found for found in map(value.get, fields) if isinstance(found, str) and found), None)


def key_in(value: Mapping[str, Any], *fields: str) -> str | None:
    """Return the first of some fields that can name a message: a text or a number."""
    found = (value.get(name) for name in fields)
    return next((str(one) for one in found if isinstance(one, str | int) and one and one is not True), None)


def text_of(value: Any) -> str | None:
    """Return the text of a value that is one, or that wraps one, as chub.ai's ``{"message": text}``; else None."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        texts = (text_of(value[name]) for name in _TEXT_FIELDS if name in value)
        return next((text for text in texts if text is not None), None)
    if isinstance(value, list):
        return "\n".join(filter(None, map(text_of, value)))
    return None


def read_content(value: Any) -> Content:
    """Sort the parts of a content."""
    result = Content()
    for part in value if isinstance(value, list) else [value]:
        _add(result, part)
    return result


def attachment(about: Any, kind: str | None = None) -> Attachment:
    """Name something beside a message; data that is written into its URL is no name."""
    if not isinstance(about, Mapping):
        return Attachment(kind or "file", _name(about))
    names = (_name(about[field]) for field in _NAME_FIELDS if field in about)
    return Attachment(kind or _kind(about), next(filter(None, names), ""))


def _add(result: Content, part: Any) -> None:
    kind = str(part.get("type") or part.get("content_type") or "") if isinstance(part, Mapping) else ""
    if _THOUGHT.search(kind):
        result.thoughts.append(_thought(part))
    elif _TOOLS.search(kind):
        result.others.append("tool call or its result")
    elif _ATTACHED.search(kind) and kind != "audio_transcription":
        result.attachments.append(attachment(part, _kind_of(kind)))
    elif (text := text_of(part)) is not None:
        result.texts.append(text)
    elif part is not None:
        result.others.append(f"content of the kind {kind or type(part).__name__}")


def _thought(part: Mapping[str, Any]) -> str:
    texts = (text_of(part[name]) for name in (*_THOUGHT_FIELDS, *_TEXT_FIELDS) if part.get(name))
    return next(filter(None, texts), "")


def _kind(about: Mapping[str, Any]) -> str:
    kinds = (about.get(name) for name in ("type", "content_type", "file_type", "file_kind", "mime_type", "mimeType"))
    return _kind_of(" ".join(str(kind) for kind in kinds if kind))


def _kind_of(text: str) -> str:
    return next((kind for kind in ("image", "video", "audio") if kind in text.lower()), "file")


def _name(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("url")
    return value[:200] if isinstance(value, str) and not _DATA_URL.match(value) else ""
