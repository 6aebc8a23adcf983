"""Fields of a chat completions request, on their way to llama.cpp."""

from __future__ import annotations

import json
from typing import Any

import pytest

from idolchat_core import CompletionRequest, RequestRefused
from idolchat_core.testing import asking
from idolchat_llm_local.body import OURS, REPEAT_PENALTY, ROUTING, completion_body

TOOLS = [{"type": "function", "function": {"name": "sing", "parameters": {"type": "object"}}}]
DEFAULTS = {"repeat_penalty": REPEAT_PENALTY, "max_tokens": 9}


def _options(**options: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(completion_body(asking("Hi!", **options), knows_tools=True, max_tokens=9))
    assert body.pop("messages") == [{"role": "user", "content": "Hi!"}]
    assert OURS.items() <= body.items()
    return {key: value for key, value in body.items() if key not in OURS and (key, value) not in DEFAULTS.items()}


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.2, "top_p": 0.9, "top_k": 40, "min_p": 0.1, "seed": 7},
        {"max_tokens": 5, "max_completion_tokens": 6, "stop": ["a", "b"]},
        {"frequency_penalty": 0.5, "presence_penalty": 0.5, "logit_bias": {"1": -100}},
        {"response_format": {"type": "json_object"}, "tools": TOOLS, "tool_choice": "auto"},
        {"grammar": 'root ::= "yes"', "mirostat": 2, "chat_template_kwargs": {"enable_thinking": False}},
    ],
)
def test_what_llama_cpp_may_know_goes_through(options: dict[str, Any]) -> None:
    assert _options(**options) == options


def test_the_repetition_penalty_has_another_name() -> None:
    assert _options(repetition_penalty=1.2) == {"repeat_penalty": 1.2}


def test_what_speaks_to_a_router_is_left_out() -> None:
    assert _options(**{key: {"any": "value"} for key in ROUTING}) == {}


def test_null_is_as_good_as_nothing() -> None:
    assert _options(stop=None, max_tokens=None) == {}


@pytest.mark.parametrize("key", OURS)
def test_how_it_is_streamed_is_not_for_a_request_to_say(key: str) -> None:
    assert _options(**{key: False}) == {}


def test_tools_without_a_place_in_the_template_are_refused() -> None:
    with pytest.raises(RequestRefused, match="leave out `tools`"):
        completion_body(asking("Hi!", tools=TOOLS), knows_tools=False, max_tokens=9)


@pytest.mark.parametrize("options", [{"tools": []}, {"tools": TOOLS, "tool_choice": "none"}])
def test_tools_that_are_not_to_be_used_need_no_place(options: dict[str, Any]) -> None:
    assert completion_body(asking("Hi!", **options), knows_tools=False, max_tokens=9)


@pytest.mark.parametrize("text", ["half \ud83d of a pair", "\udc38"])
def test_text_that_is_none_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(RequestRefused, match="surrogate") as caught:
        completion_body(asking(text), knows_tools=True, max_tokens=9)
    assert "half \ud83d" not in str(caught.value)


def test_a_body_is_one_line_whatever_is_said() -> None:
    body = completion_body(asking("one\ntwo\r\nthree\u2028four\u0085"), knows_tools=True, max_tokens=9)

    assert b"\n" not in body


def _body(*messages: tuple[str, str], **options: Any) -> dict[str, Any]:
    said = [{"role": role, "content": content} for role, content in messages]
    request = CompletionRequest(messages=said, options=options)
    body: dict[str, Any] = json.loads(completion_body(request, knows_tools=True, max_tokens=9, system_prompt="Sing."))
    return body


def test_a_reply_has_a_limit_and_a_repeat_penalty_where_nobody_says() -> None:
    assert _body(("user", "Hi!")).items() >= DEFAULTS.items()


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n_predict"])
def test_a_request_s_own_limit_stays(name: str) -> None:
    body = _body(("user", "Hi!"), **{name: 700})

    assert [body.get(limit) for limit in ("max_tokens", name)] == [700 if name == "max_tokens" else None, 700]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_the_model_plays_whom_the_prompt_says_else_its_own_character(role: str) -> None:
    without, given = _body(("user", "Hi!")), _body((role, "Dance."), ("user", "Hi!"))

    assert without["messages"][0] == {"role": "system", "content": "Sing."}
    assert given["messages"][0] == {"role": role, "content": "Dance."}
