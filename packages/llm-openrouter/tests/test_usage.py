from typing import Any

import pytest

from idolchat_llm_openrouter.usage import MAX_COST, MAX_COUNT, usage_of


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, None),
        ([], None),
        ({}, (0, 0, None, None, None)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, (3, 4, None, None, None)),
        ({"prompt_tokens": 3.0, "completion_tokens": None, "cost": 1}, (3, 0, None, None, 1.0)),
        ({"prompt_tokens": float("inf"), "completion_tokens": 1e300}, None),
        ({"prompt_tokens": "3", "completion_tokens": -1, "cost": "free"}, None),
        ({"prompt_tokens_details": {"cached_tokens": 5}, "completion_tokens_details": None}, (0, 0, 5, None, None)),
        ({"prompt_tokens_details": [], "completion_tokens_details": {"reasoning_tokens": 0}}, (0, 0, None, 0, None)),
    ],
)
def test_usage_is_read_whatever_its_types(told: object, expected: tuple[Any, ...] | None) -> None:
    usage = usage_of(told)

    counts = usage and (
        usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens, usage.cost
    )  # fmt: skip
    assert counts == expected


def test_what_else_usage_tells_is_kept() -> None:
    usage = usage_of(
        {
            "prompt_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 7, "audio_tokens": 0},
            "cost_details": {"upstream_inference_cost": None},
            "is_byok": False,
            "server_tool_use": {"web_search_requests": 2},
        }
    )

    assert usage is not None
    assert usage.model_extra == {
        "prompt_tokens_details": {"cache_write_tokens": 7},
        "is_byok": False,
        "server_tool_use": {"web_search_requests": 2},
    }


@pytest.mark.parametrize("odd", [float("inf"), float("nan"), [1], {"a": {"b": {"c": {"d": {"e": 1}}}}}])
def test_what_else_usage_tells_can_always_be_stored(odd: object) -> None:
    usage = usage_of({"prompt_tokens": 1, "completion_tokens": 1, "more": odd})

    assert usage is not None
    assert "more" not in (usage.model_extra or {})


def test_the_bounds_themselves_are_believed() -> None:
    usage = usage_of({"prompt_tokens": MAX_COUNT, "completion_tokens": 0, "cost": MAX_COST})

    assert usage is not None
    assert (usage.input_tokens, usage.cost) == (MAX_COUNT, MAX_COST)
