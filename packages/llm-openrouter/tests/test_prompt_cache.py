"""Where a prompt is marked for a provider's cache, and which models take system messages late."""

from typing import Any

import pytest

from idolchat_core import CompletionRequest
from idolchat_llm_openrouter.model_list import models_in
from idolchat_llm_openrouter.request_body import payload_of

CLAUDE = "anthropic/claude-sonnet-4.5"
MARK = {"type": "ephemeral"}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "You are Mira."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]},
    {"role": "tool", "tool_call_id": "a", "content": ""},
    {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "x"}}]},
    {"role": "user", "content": "Sing!"},
]


def sent(*positions: int, model: str = CLAUDE, for_openrouter: bool = True, **options: Any) -> list[Any]:
    request = CompletionRequest(messages=TALK, options=options, stable_until=positions)
    return list(payload_of(request, model, for_openrouter=for_openrouter, ask_usage=True)["messages"])


def marks(messages: list[Any]) -> list[int]:
    return [i for i, m in enumerate(messages) if isinstance(m["content"], list) and "cache_control" in str(m)]


def test_a_plain_text_becomes_a_part_that_carries_the_mark() -> None:
    assert sent(0)[0]["content"] == [{"type": "text", "text": "You are Mira.", "cache_control": MARK}]


def test_the_last_text_of_a_message_with_an_image_carries_the_mark() -> None:
    assert sent(4)[4]["content"][0] == {"type": "text", "text": "Look", "cache_control": MARK}


def test_a_message_without_text_leaves_its_mark_to_the_one_before() -> None:
    assert marks(sent(0, 3)) == [0, 1]


@pytest.mark.parametrize("model", ["openai/gpt-5.5", "google/gemini-3-pro", "deepseek/deepseek-v4"])
def test_a_model_that_caches_by_itself_gets_no_marks(model: str) -> None:
    assert sent(0, 4, model=model) == TALK


def test_a_server_other_than_openrouter_gets_no_marks() -> None:
    assert sent(0, for_openrouter=False) == TALK


def test_marks_of_the_client_are_left_as_they_are() -> None:
    assert sent(0, cache_control=MARK) == TALK


def test_nothing_of_the_request_itself_is_changed() -> None:
    before = str(TALK)
    sent(0, 4)

    assert str(TALK) == before


@pytest.mark.parametrize(("model", "late"), [(CLAUDE, False), ("google/gemini-3-pro", False), ("openai/gpt-5.5", True)])
def test_the_list_of_models_says_who_takes_system_messages_late(model: str, late: bool) -> None:
    [listed] = models_in([{"id": model}])

    assert listed.late_system is late
    assert listed.assistant_first is late
