"""When two texts are the same: clients trim them, wrap them, add names, and leave thoughts out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from hashlib import blake2b

from idolchat_api_openai.encoding import json_bytes
from idolchat_core.search import tokens_of

__all__ = [
    "ENOUGH_TO_BEGIN",
    "ENOUGH_TO_KNOW",
    "are_same",
    "index_key",
    "key_of",
    "normal_form",
    "trimmed_key_of",
    "words_of",
]

ENOUGH_TO_KNOW = 30
"""Characters, without blanks, that make a reply as good as unique."""
ENOUGH_TO_BEGIN = 5
"""Characters that a reply begins with which its client has stopped."""
_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_NAME = re.compile(r"[^\s:][^:\n]{0,63}: ?")


def key_of(role: str, content: object, tool_calls: object = None, tool_call_id: object = None) -> int:
    """Return a number that messages share that are the same to the letter, for as long as this process runs."""
    if type(content) is str and not tool_calls and tool_call_id is None:
        return hash((role, content))
    return hash((role, _json(content), _call_ids(tool_calls), str(tool_call_id)))


def trimmed_key_of(role: str, content: object, tool_calls: object = None) -> int | None:
    """Return a number that texts share that are the same but for blanks at their ends; None for no mere text."""
    return hash((role, content.strip())) if isinstance(content, str) and role != "tool" and not tool_calls else None


def normal_form(role: str, content: object, tool_calls: object = None, tool_call_id: object = None) -> str:
    """Return what a message says, without what changes on the way: blanks, thoughts, forms of the same letter.

    A reply has no blanks at all, as its pieces are glued together with some or with none.
    """
    text = content if isinstance(content, str) else _joined(content)
    if "<think" in text:
        text = _THOUGHT.sub("", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    text = ("" if role == "assistant" else " ").join(text.split())
    calls = _call_ids(tool_calls)
    if calls or tool_call_id is not None:
        return f"{text}\0{calls}\0{tool_call_id}"
    return text


def words_of(content: object) -> list[str]:
    """Return the words of a message as a search has them, without thoughts."""
    return tokens_of(_THOUGHT.sub("", content if isinstance(content, str) else _joined(content)))


def are_same(one: str, other: str) -> bool:
    """Return whether two texts in normal form are the same, or one has a name before it that the other has not."""
    if one == other:
        return True
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    name = _NAME.match(longer) if shorter and longer.endswith(shorter) else None
    return name is not None and longer[name.end() :] == shorter


def index_key(text: str) -> bytes:
    """Return the digest of a reply in normal form that it is found by: 16 bytes."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _joined(content: object) -> str:
    if not isinstance(content, list):
        return ""
    return " ".join([_part(part) for part in content])


def _part(part: object) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    return blake2b(_json(part), digest_size=8).hexdigest()


def _json(value: object) -> bytes:
    return json_bytes(value, sorts_keys=True)


def _call_ids(tool_calls: object) -> str:
    if not isinstance(tool_calls, list):
        return ""
    return " ".join([str(call.get("id")) for call in tool_calls if isinstance(call, Mapping)])
