"""Answers that depend on what was asked."""

import json
import re
from typing import Any
from uuid import uuid4

from tests.support.mock_openrouter.behaviour import Behaviour
from tests.support.mock_openrouter.faults import MESSAGES, error_reply, failure
from tests.support.mock_openrouter.script import Script, said, text_of, usage_of, word

TOKEN = re.compile(r"[a-zA-Z]{1,6}|\d{1,3}|[^\s\w]|\w|\n+")
TOKENS_OF_A_MESSAGE = 4


def count_tokens(text: str) -> int:
    """Count plausibly: about 1.3 a word of English, one a character of Chinese."""
    return sum(1 for _ in TOKEN.finditer(text))


def prompt_tokens(request: dict[str, Any]) -> int:
    messages = request.get("messages") or []
    return 3 + sum(TOKENS_OF_A_MESSAGE + count_tokens(_text(message)) for message in messages)


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    calls = message.get("tool_calls")
    return content + (json.dumps(calls) if calls else "")


def answer(about: Behaviour, body: bytes, *, with_usage: bool) -> Script | bytes:
    """Make the script for a request, or a response that refuses it."""
    request = json.loads(body)
    asked = prompt_tokens(request)
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    if about.context_length and asked + (limit or 1) > about.context_length:
        return _too_long(about.context_length, asked, limit)
    pieces = _pieces(about, request)
    cut = limit is not None and len(pieces) > limit
    pieces = pieces[:limit]
    text = "".join(pieces) if "echo" in about.flags or cut else text_of(about.words)
    usage = usage_of(asked, len(pieces)) if with_usage else None
    finish_reason = "length" if cut else "stop"
    if "bill" not in about.flags:
        return Script(about, said(pieces), text, finish_reason=finish_reason, usage=usage)
    return Script(about, said(pieces), text, finish_reason=finish_reason, usage=usage, generation_id=f"gen-{uuid4()}")


def _pieces(about: Behaviour, request: dict[str, Any]) -> list[str]:
    if "echo" not in about.flags:
        return [word(number) for number in range(about.deltas)]
    heard = next((_text(m) for m in reversed(request["messages"]) if m.get("role") == "user"), "")
    return re.findall(r"(?s).{1,3}", heard)


def _too_long(context_length: int, asked: int, limit: int | None) -> bytes:
    message = (
        f"This endpoint's maximum context length is {context_length} tokens. However, you requested about"
        f" {asked + (limit or 0)} tokens ({asked} of text input, {limit or 0} in the output)."
    )
    return error_reply(400, failure(400, message, metadata={"error_type": "context_length_exceeded"}))


def leaking(key: str, body: bytes) -> bytes:
    """Make an error that repeats the key and what the user said, as careless servers do."""
    said = " ".join(_text(message) for message in json.loads(body)["messages"])
    message = f"{MESSAGES[400]}; your key is {key} and you said: {said}"
    return error_reply(400, failure(400, message, metadata={"raw": message}))
