"""A completion request in the words of llama.cpp.

https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (read 2026-11-20)
"""

from __future__ import annotations

import json

from idolchat_core import CompletionRequest, RequestRefused

__all__ = ["completion_body"]

RENAMED = {"repetition_penalty": "repeat_penalty"}

ROUTING = frozenset(
    {
        "cache_control", "include_reasoning", "metadata", "modalities", "models", "plugins", "prediction", "preset",
        "prompt_cache_key", "prompt_cache_options", "provider", "reasoning", "route", "safety_identifier",
        "service_tier", "session_id", "store", "stream_options", "structured_outputs", "top_a", "trace",
        "transforms", "usage", "user", "verbosity", "web_search_options",
    }
)  # fmt: skip
"""What speaks to OpenRouter, or to OpenAI's service, and means nothing to a model on this machine."""

OURS = {
    "stream": True,
    "stream_options": {"include_usage": True},
    "return_progress": True,  # lets a reply be stopped while its prompt is read
}


REPEAT_PENALTY = 1.1
"""Ollama's default; llama.cpp's own is none, with which small models fall into loops."""

TOKEN_LIMITS = ("max_tokens", "max_completion_tokens", "n_predict")


def completion_body(
    request: CompletionRequest, *, knows_tools: bool, max_tokens: int, system_prompt: str | None = None
) -> bytes:
    """Put a request into a body for llama.cpp, as one line of JSON. Raises ``RequestRefused``.

    What only a router understands is left out; all else goes through, for llama.cpp to use, ignore or refuse.
    ``max_tokens`` is for a request without a limit of its own, ``system_prompt`` for one without a system message.
    """
    given = {key: value for key, value in request.options.items() if value is not None and key not in ROUTING}
    if given.get("tools") and given.get("tool_choice") != "none" and not knows_tools:
        raise RequestRefused("the local model's chat template has no place for tools: leave out `tools`", status=400)
    options = {RENAMED.get(key, key): value for key, value in given.items()}
    options.setdefault("repeat_penalty", REPEAT_PENALTY)
    if not any(name in options for name in TOKEN_LIMITS):
        options["max_tokens"] = max_tokens
    messages = [dict(message) for message in request.messages]
    if system_prompt and not any(message["role"] in ("system", "developer") for message in messages):
        messages.insert(0, {"role": "system", "content": system_prompt})
    body = {**options, "messages": messages, **OURS}
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        raise RequestRefused("the request holds half of a surrogate pair, or NaN", status=400) from error
