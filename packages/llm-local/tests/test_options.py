"""What the fields of a request do to the real model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from idolchat_core import CompletionRequest, ContextTooLong, Delta, Finished, RequestRefused
from idolchat_core.testing import asking, collect
from idolchat_llm_local import LocalProvider, LocalSettings, open_local_llm
from idolchat_llm_local.repetition import WINDOW_CHARACTERS

SCHEMA = {
    "type": "object",
    "properties": {"name": {"enum": ["Mika", "Aoi"]}, "age": {"type": "integer", "minimum": 1, "maximum": 99}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


async def _answer(provider: LocalProvider, text: str, **options: Any) -> tuple[str, Finished]:
    *deltas, end = await collect(provider, asking(text, **options))
    assert isinstance(end, Finished)
    return "".join(delta.content for delta in deltas if isinstance(delta, Delta)), end


async def test_the_same_seed_gives_the_same_reply(provider: LocalProvider) -> None:
    first, again, other = [
        await _answer(provider, "Tell me a story.", seed=seed, temperature=1.5, max_tokens=24, cache_prompt=False)
        for seed in (1, 1, 2)
    ]

    assert first[0] == again[0] != other[0]


async def test_temperature_zero_is_always_of_one_mind(provider: LocalProvider) -> None:
    first, again = [
        await _answer(provider, "Who are you?", temperature=0, max_tokens=24, cache_prompt=False) for _ in range(2)
    ]

    assert first[0] == again[0]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_a_limit_is_counted_in_tokens(provider: LocalProvider, name: str) -> None:
    _, end = await _answer(provider, "Tell me a story.", **{name: 7})

    assert (end.finish_reason, end.usage and end.usage.output_tokens) == ("length", 7)


async def test_a_reply_ends_before_a_stop_word(provider: LocalProvider) -> None:
    said, end = await _answer(provider, "Count: one, two, three.", temperature=0, stop=["o"], max_tokens=99)

    assert "o" not in said
    assert end.finish_reason == "stop"


async def test_a_schema_shapes_the_reply(provider: LocalProvider) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "idol", "schema": SCHEMA}}
    said, _ = await _answer(provider, "Give me an idol as JSON.", response_format=form, max_tokens=99)
    idol = json.loads(said)

    assert idol["name"] in ("Mika", "Aoi")
    assert 1 <= idol["age"] <= 99


async def test_any_json_can_be_asked_for(provider: LocalProvider) -> None:
    said, _ = await _answer(
        provider, "Give me a small JSON.", response_format={"type": "json_object"}, max_tokens=40, seed=3
    )

    assert said.lstrip().startswith("{")


async def test_a_penalty_keeps_a_word_from_coming_back(provider: LocalProvider) -> None:
    words = "Say: la la la la la la la la la la"
    free, _ = await _answer(provider, words, temperature=0, max_tokens=40, repetition_penalty=1.0)
    held, _ = await _answer(provider, words, temperature=0, max_tokens=40, repetition_penalty=2.0)

    assert held.count("la") < free.count("la")


async def test_only_the_likeliest_word_is_left_by_top_k(provider: LocalProvider) -> None:
    sampled, greedy = [
        await _answer(provider, "Who are you?", max_tokens=24, cache_prompt=False, **options)
        for options in ({"temperature": 2, "top_k": 1}, {"temperature": 0})
    ]

    assert sampled[0] == greedy[0]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"top_k": "all"}, "top_k"),
        ({"response_format": {"type": "x"}}, "type"),
    ],
)
async def test_a_wrong_value_is_refused_by_its_name(
    provider: LocalProvider, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(RequestRefused, match=field):
        await _answer(provider, "Hi!", **options)


async def test_pictures_are_refused(provider: LocalProvider) -> None:
    picture = {"type": "image_url", "image_url": {"url": "file:///etc/hostname"}}
    request = CompletionRequest(messages=[{"role": "user", "content": [picture]}])

    with pytest.raises(RequestRefused, match="image input is not supported"):
        await collect(provider, request)


async def test_parts_of_text_are_read_as_one(provider: LocalProvider) -> None:
    whole, parts = [
        await collect(provider, CompletionRequest(messages=[{"role": "user", "content": content}], options=options))
        for options in [{"temperature": 0, "max_tokens": 12, "cache_prompt": False}]
        for content in ("Say hello\nto me.", [{"type": "text", "text": part} for part in ("Say hello", "to me.")])
    ]

    assert whole[:-1] == parts[:-1]


async def test_the_words_of_an_earlier_turn_are_not_read_again(provider: LocalProvider) -> None:
    history = [{"role": "user", "content": "Tell me of the sea. " * 20}]
    first = await collect(provider, CompletionRequest(messages=history, options={"max_tokens": 4}))
    said = "".join(delta.content for delta in first if isinstance(delta, Delta))
    more = [*history, {"role": "assistant", "content": said}, {"role": "user", "content": "And then?"}]
    end = (await collect(provider, CompletionRequest(messages=more, options={"max_tokens": 4})))[-1]

    assert isinstance(end, Finished)
    assert end.usage is not None
    assert end.usage.cached_tokens is not None
    assert end.usage.input_tokens > end.usage.cached_tokens > end.usage.input_tokens * 0.8


async def test_a_full_context_ends_the_reply(settings: LocalSettings) -> None:
    async with open_local_llm(settings.model_copy(update={"context_length": 256})) as provider:
        _, end = await _answer(provider, "word " * 150, ignore_eos=True, temperature=1.5, seed=1)

    assert end.finish_reason == "length"
    assert end.usage is not None
    assert end.usage.input_tokens + end.usage.output_tokens == 256


async def test_a_prompt_too_long_is_measured(provider: LocalProvider) -> None:
    with pytest.raises(ContextTooLong, match=r"the prompt has \d{4} tokens, and the local model reads 1024"):
        await _answer(provider, "word " * 1024)


async def test_a_reply_that_nobody_limits_ends(settings: LocalSettings) -> None:
    async with open_local_llm(settings.model_copy(update={"max_tokens": 20})) as provider:
        _, end = await _answer(provider, "Sing me a song.", ignore_eos=True)

    assert (end.finish_reason, end.usage and end.usage.output_tokens) == ("length", 20)


async def test_a_reply_that_repeats_a_line_for_ever_is_ended(provider: LocalProvider) -> None:
    said, end = await _answer(provider, "Sing.", grammar='root ::= ("La la la!\\n")+', max_tokens=900)

    assert end.finish_reason == "length"
    assert WINDOW_CHARACTERS <= len(said) < 2 * WINDOW_CHARACTERS


async def test_the_small_model_speaks_as_the_character_it_is_given(provider: LocalProvider) -> None:
    said, _ = await _answer(provider, "Hello! What do you love?", temperature=0, max_tokens=60)

    assert "AI" not in said
    assert "fan" in said or "song" in said or "music" in said
