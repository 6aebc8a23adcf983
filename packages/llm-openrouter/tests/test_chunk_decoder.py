"""What a server says becomes deltas and an end; the parts that HTTP tests cannot reach well."""

import json
from typing import Any

import pytest

from idolchat_core import Delta, ProviderUnavailable
from idolchat_llm_openrouter.chunk_decoder import ChunkDecoder
from idolchat_llm_openrouter.errors import ErrorMapper
from idolchat_llm_openrouter.redaction import Redactor


def decoder() -> ChunkDecoder:
    return ChunkDecoder(ErrorMapper("server", Redactor(None)))


def chunk(content: object = None, *, escaped: bool = False, **more: Any) -> bytes:
    value = {"model": "m", "choices": [{"delta": {"content": content}, "finish_reason": None, **more}]}
    return json.dumps(value, ensure_ascii=escaped).encode()


def test_halves_of_a_character_in_two_chunks_are_joined() -> None:
    """Scenario 35: some servers cut text between UTF-16 units."""
    texts = ["x", "a \ud83c", "\udf38 b", "c", "d \ud83c", "e"]
    deltas = decoder().decode_chunks([chunk(text, escaped=True) for text in texts])

    assert [delta.content for delta in deltas] == ["x", "a ", "🌸 b", "c", "d ", "\ufffde"]


def test_a_half_that_stands_alone_is_replaced() -> None:
    deltas = decoder().decode_chunks([chunk("a \udf38 b", escaped=True)])

    assert [delta.content for delta in deltas] == ["a \ufffd b"]


def test_halves_in_other_fields_are_replaced() -> None:
    value = {"choices": [{"delta": {"reasoning": "a \ud83c"}}]}
    [delta] = decoder().decode_chunks([json.dumps(value).encode()])

    assert delta.fields == {"reasoning": "a \ufffd"}


def test_nothing_after_done_is_read() -> None:
    reply = decoder()
    deltas = reply.decode_chunks([chunk("a", finish_reason="stop"), b"[DONE]", chunk("b")])

    assert deltas == [Delta("a", None, "m")]
    assert reply.is_done


def test_what_came_before_an_error_in_the_same_bytes_is_kept() -> None:
    reply = decoder()
    deltas = reply.decode_chunks([chunk("a"), b'{"error": {"code": "server_error"}, "choices": []}', chunk("b")])

    assert [delta.content for delta in deltas] == ["a"]
    assert reply.failure
    assert isinstance(reply.failure.error, ProviderUnavailable)


def test_what_stands_beside_an_error_is_kept() -> None:
    reply = decoder()
    deltas = reply.decode_chunks([chunk("a", finish_reason="error", error={"code": 502})])

    assert [delta.content for delta in deltas] == ["a"]
    assert reply.failure


@pytest.mark.parametrize("place", ["chunk", "choice"])
def test_an_error_beside_text_is_seen(place: str) -> None:
    error = {"error": {"code": 502}}
    beside: dict[str, Any] = {"choices": [{"delta": {"content": "b"}, "finish_reason": None}]}
    (beside if place == "chunk" else beside["choices"][0]).update(error)
    reply = decoder()
    deltas = reply.decode_chunks([chunk("a"), json.dumps(beside).encode(), chunk("c")])

    assert [delta.content for delta in deltas] == ["a", "b"]
    assert reply.failure


def test_what_stands_beside_text_is_seen() -> None:
    reply = decoder()
    first = {"choices": [{"delta": {"content": "a"}, "finish_reason": None}]}
    second = {"choices": [{"delta": {"content": "b", "reasoning": "c"}, "finish_reason": None}]}
    third = {"choices": [{"delta": {"content": "d"}, "finish_reason": None}], "usage": {"prompt_tokens": 3}}
    last = {"choices": [{"delta": {"content": "e"}, "finish_reason": "length"}]}
    deltas = reply.decode_chunks(json.dumps(value).encode() for value in (first, second, third, last))

    assert deltas == [Delta("a"), Delta("b", {"reasoning": "c"}), Delta("d"), Delta("e")]
    assert reply.finished.finish_reason == "length"
    assert reply.finished.usage
    assert reply.finished.usage.input_tokens == 3


def test_an_error_that_is_null_is_none() -> None:
    reply = decoder()
    deltas = reply.decode_chunks([b'{"error": null, "choices": [{"delta": {"content": "a"}, "error": null}]}'])

    assert [delta.content for delta in deltas] == ["a"]
    assert reply.failure is None


def test_empty_deltas_are_left_out() -> None:
    empty = [{"role": "assistant"}, {"content": ""}, {"content": None, "refusal": None}, {}, None]
    payloads = [json.dumps({"choices": [{"delta": delta}]}).encode() for delta in empty]

    assert decoder().decode_chunks([b"", *payloads]) == []


def test_a_finish_reason_of_tomorrow_is_passed_on() -> None:
    reply = decoder()
    reply.decode_chunks([chunk("a", finish_reason="tired")])

    assert reply.finished.finish_reason == "tired"
