"""Finds the error in what a server sent: each has its own form.

Read on 2026-11-29: OpenRouter's error reference and OpenAPI description; OpenAI (``error`` with ``type`` and
``code``), vLLM (the same fields at the top, ``object`` is "error"), llama.cpp and Anthropic (``type`` beside it),
Gemini (an array around it), xAI (``code`` beside a text), TGI (``error_type`` beside a text), FastAPI (``detail``),
Bedrock, Mistral and Cohere (``message`` at the top), AWS (``Message``), Cloudflare (``errors``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

__all__ = ["ErrorObject", "error_in", "error_of_text"]

MESSAGE_FIELDS = ("message", "detail", "msg", "Message", "error_message", "error_msg", "title")
CODE_FIELDS = ("code", "type", "error_type", "error_code", "__type", "status")
STATUS_FIELDS = ("code", "http_status", "status_code", "statusCode", "status")
READ_FIELDS = (*MESSAGE_FIELDS, *CODE_FIELDS, "error", "errors", "raw", "metadata", "provider_code")
MAX_DEPTH = 6
MAX_WORDS = 16 * 1024
CODE = re.compile(r"[A-Za-z_][\w.-]{0,63}")


def error_in(value: object, *, depth: int = 0) -> Mapping[str, Any] | None:
    """Find the error object in a reply, with its text as ``message``; None where the reply reports no error."""
    if isinstance(value, list):
        return error_in(value[0], depth=depth + 1) if value and depth < MAX_DEPTH else None
    if not isinstance(value, dict):
        return None
    given = value.get("error") or value.get("errors")
    if isinstance(given, dict | list) and depth < MAX_DEPTH:
        first = given[0] if isinstance(given, list) else given
        if isinstance(first, str):
            return _beside(value, first)
        inner = error_in(first, depth=depth + 1)
        return inner if inner is not None or not isinstance(first, dict) else first
    if given:
        return _beside(value, given)
    if "choices" in value:
        return None
    message = _message_of(value)
    if message is None and value.get("object") != "error" and value.get("type") != "error":
        return None
    return {**value, "message": message}


def error_of_text(text: bytes) -> Mapping[str, Any] | None:
    """Read plain text as an error; None for a page or for what is no text."""
    words = text[:MAX_WORDS].decode("utf-8", "replace").strip()
    return {"message": words} if words and not words.startswith(("<", "{", "[")) else None


class ErrorObject:
    """An error object, read. ``status`` is that of the response, or else the one that the object names."""

    def __init__(self, error: Mapping[str, Any], status: int | None) -> None:
        metadata = _mapping(error.get("metadata"))
        availability = _mapping(error.get("availability"))
        named = (availability.get("code"), metadata.get("error_type"), error.get("error_type"))
        given = (*named, *map(error.get, CODE_FIELDS))
        self.codes = [code for code in given if isinstance(code, str) and _is_code(code)]
        self.is_moderation = any(name in metadata for name in ("flagged_input", "reasons", "patterns"))
        self.code = "moderation" if self.is_moderation else next(iter(self.codes), None)
        self.status = status or next((found for name in STATUS_FIELDS if (found := _status(error.get(name)))), None)
        raw = metadata.get("raw")
        self.message = _innermost(raw if isinstance(raw, str) and raw else error.get("message"))
        self.words = " ".join(_strings(error))[:MAX_WORDS]
        self.may_retry = availability.get("retryable")
        self.retry_after_s = _seconds(availability.get("retry_after"))


def _beside(value: Mapping[str, Any], given: object) -> Mapping[str, Any]:
    """Make an error object of ``{"error": "text"}`` and its neighbours; a neighbouring message says more."""
    message = _message_of(value) or (given if isinstance(given, str) else None)
    return {**{name: value[name] for name in (*CODE_FIELDS, "status_code") if name in value}, "message": message}


def _message_of(value: Mapping[str, Any]) -> str | None:
    for name in MESSAGE_FIELDS:
        text = _text_of(value.get(name))
        if text:
            return text
    return None


def _text_of(value: object) -> str | None:
    """Read a message: a text, an object with one, or FastAPI's list of them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        return _text_of(value[0])
    if isinstance(value, dict):
        return next((text for name in (*MESSAGE_FIELDS, "error") if isinstance(text := value.get(name), str)), None)
    return None


def _innermost(message: object) -> str | None:
    """Unwrap a message that is itself the JSON of an error, as proxies pass it on."""
    text = _text_of(message)
    if text and text.lstrip().startswith(("{", "[")):
        try:
            inner = error_in(orjson.loads(text))
        except orjson.JSONDecodeError:
            return text
        return _text_of(inner.get("message")) if inner else text
    return text


def _strings(value: object, *, depth: int = 0) -> Iterator[str]:
    """All texts of an error from which its kind can be told; not what it may quote of the request."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping) and depth < MAX_DEPTH:
        for name in READ_FIELDS:
            yield from _strings(value.get(name), depth=depth + 1)
    elif isinstance(value, list) and depth < MAX_DEPTH:
        for item in value[:8]:
            yield from _strings(item, depth=depth + 1)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_code(value: str) -> bool:
    return value != "error" and CODE.fullmatch(value) is not None


def _status(code: object) -> int | None:
    if isinstance(code, str) and code.isdecimal() and len(code) == 3:
        code = int(code)
    return code if isinstance(code, int) and 400 <= code < 600 else None


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else None
