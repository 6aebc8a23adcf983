"""Chunks of llama.cpp, and what they come to."""

from __future__ import annotations

from typing import Any

import pytest

from idolchat_core import (
    ContextTooLong,
    Delta,
    Finished,
    ProviderError,
    ProviderUnavailable,
    ReplyCut,
    RequestRefused,
    Usage,
)
from idolchat_llm_local.reply import Reply


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


COUNTED = {
    "id": "chatcmpl-1",
    "choices": [],
    "usage": {"prompt_tokens": 30, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 20}},
}


def test_a_reply_is_its_words_and_its_end() -> None:
    reply = Reply("small")
    chunks = [
        _chunk({"role": "assistant", "content": None}),
        _chunk({"content": "Hi"}),
        _chunk({"content": "!"}),
        _chunk({}, "stop"),
        COUNTED,
    ]
    said = [delta for chunk in chunks if (delta := reply.read(chunk))]

    assert said == [Delta("Hi", None, "small"), Delta("!")]
    assert reply.end() == Finished(
        finish_reason="stop",
        usage=Usage(input_tokens=30, output_tokens=2, cached_tokens=20),
        model="small",
        completion_id="chatcmpl-1",
    )


def test_thoughts_and_tool_calls_go_in_fields() -> None:
    reply = Reply("small")
    calls = [{"index": 0, "id": "1", "function": {"name": "sing", "arguments": "{"}}]

    assert reply.read(_chunk({"reasoning_content": "Hm."})) == Delta("", {"reasoning": "Hm."}, "small")
    assert reply.read(_chunk({"tool_calls": calls})) == Delta("", {"tool_calls": calls})


def test_a_reply_without_a_finish_reason_is_cut() -> None:
    reply = Reply("small")
    reply.read(_chunk({"content": "Hi"}))

    with pytest.raises(ReplyCut):
        reply.end()


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (
            {"code": 400, "type": "exceed_context_size_error", "message": "", "n_prompt_tokens": 9, "n_ctx": 8},
            ContextTooLong,
            "9 tokens, and the local model reads 8",
        ),
        ({"code": 400, "type": "invalid_request_error", "message": "Field 'seed'"}, RequestRefused, "Field 'seed'"),
        ({"code": 500, "type": "server_error", "message": "Compute error."}, ProviderUnavailable, "Compute error"),
    ],
)
def test_an_error_is_told_by_its_kind(error: dict[str, Any], kind: type[ProviderError], text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        Reply("small").read({"error": error})

    assert (caught.value.status, caught.value.provider_code) == (error["code"], error["type"])


@pytest.mark.parametrize(
    "message",
    [
        'Missing \'role\' in message: {"content":"a secret"}',
        "Expected 'tools' to be an array; tools = \"a secret\"",
        "parse error at line 1, column 90: invalid string; last read: '\"a secret'",
        "While executing CallExpression\na secret",
    ],
)
def test_an_error_does_not_repeat_what_was_said(message: str) -> None:
    error = {"code": 400, "type": "invalid_request_error", "message": message}

    with pytest.raises(RequestRefused) as caught:
        Reply("small").read({"error": error})
    assert "secret" not in str(caught.value)
