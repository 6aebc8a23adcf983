"""The body and the headers of a request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any
from uuid import UUID

import orjson

from idolchat_core import CompletionRequest
from idolchat_llm_openrouter.prompt_cache import marked, wants_marks
from idolchat_llm_openrouter.settings import OpenRouterSettings
from idolchat_llm_openrouter.text import replace_lone_surrogates

__all__ = ["encoded", "headers_of", "payload_of"]

# Left alone, endpoints of at most 8192 tokens drop the middle of a long prompt, and nobody is told
# (openrouter.ai/docs, Context Compression, read 2026-08-22).
NO_COMPRESSION = [{"id": "context-compression", "enabled": False}]
DISTRIBUTION = "idolchat-llm-openrouter"


def headers_of(settings: OpenRouterSettings) -> dict[str, str]:
    """Make the headers that every request has."""
    headers = {
        "User-Agent": f"{DISTRIBUTION}/{version(DISTRIBUTION)}",
        "Accept-Encoding": "identity",  # a compressed stream would wait for blocks to fill
    }
    if settings.key:
        headers["Authorization"] = f"Bearer {settings.key}"
    if settings.referer:
        headers["HTTP-Referer"] = settings.referer
    if settings.title:
        headers |= {"X-OpenRouter-Title": settings.title, "X-Title": settings.title}
    if settings.categories:
        headers["X-OpenRouter-Categories"] = ",".join(settings.categories)
    return headers


def payload_of(
    request: CompletionRequest, model: str | None, *, for_openrouter: bool, ask_usage: bool
) -> dict[str, Any]:
    """Make the body: the fields of the client, unchanged and in their order, then our defaults.

    ``ask_usage`` asks an OpenAI-compatible server for the counts of a streamed reply; OpenRouter always gives them.
    """
    payload: dict[str, Any] = {"model": model} if model else {}
    payload["messages"] = request.messages
    payload |= request.options
    payload["stream"] = request.stream
    if for_openrouter:
        if request.stable_until and wants_marks(model) and "cache_control" not in payload:
            payload["messages"] = marked(request.messages, request.stable_until)
        for name, value in _openrouter_fields(request).items():
            payload.setdefault(name, value)
    elif request.stream and ask_usage:
        payload.setdefault("stream_options", {"include_usage": True})
    return payload


def _openrouter_fields(request: CompletionRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {"plugins": NO_COMPRESSION}
    if request.conversation_id is not None:
        fields["session_id"] = str(request.conversation_id)
    if request.user_id is not None:
        fields["user"] = _pseudonym(request.user_id)
    return fields


def _pseudonym(user_id: UUID | str) -> str:
    return hashlib.blake2b(str(user_id).encode(), digest_size=16, person=b"idolchat").hexdigest()


def encoded(payload: Mapping[str, Any]) -> bytes:
    """Encode the body as JSON."""
    try:
        return orjson.dumps(payload, default=_plain)
    except orjson.JSONEncodeError:  # integers beyond 64 bits, halves of characters
        text = json.dumps(payload, default=_plain, separators=(",", ":"), ensure_ascii=False)
        return replace_lone_surrogates(text).encode()


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"a request cannot hold a {type(value).__name__}")
