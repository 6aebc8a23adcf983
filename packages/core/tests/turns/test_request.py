"""What a caller may ask, and what is said of what it may not."""

from typing import Any

import pytest
from pydantic import ValidationError

from idolchat_core.turns.request import REFUSED_FIELDS, TurnRequest

USER = {"role": "user", "content": "Hi"}


def problem(**request: Any) -> dict[str, Any]:
    with pytest.raises(ValidationError) as raised:
        TurnRequest.model_validate({"messages": [USER], **request})
    return dict(raised.value.errors()[0])


@pytest.mark.parametrize("field", sorted(REFUSED_FIELDS))
def test_a_field_that_would_redirect_the_call_is_refused_by_name(field: str) -> None:
    assert problem(**{field: "x"})["ctx"]["param"] == field


@pytest.mark.parametrize(("field", "value"), [("n", 2), ("logprobs", True), ("top_logprobs", 3)])
def test_what_a_reply_cannot_hold_is_refused_by_name(field: str, value: object) -> None:
    assert problem(**{field: value})["ctx"]["param"] == field


@pytest.mark.parametrize(
    ("messages", "where"),
    [
        ([], ("messages",)),
        ([{"role": "idol", "content": "Hi"}], ("messages", 0, "role")),
        ([{"role": "user", "content": ""}], ("messages", 0)),
        ([{"role": "user"}], ("messages", 0)),
        ([{"role": "tool", "content": "la"}], ("messages", 0)),
        ([{"role": "user", "content": "Hi", "name": 5}], ("messages", 0, "name")),
        ([{"role": "user", "content": [{"type": "text"}]}], ("messages", 0, "content")),
        ([{"role": "user", "content": [{}]}], ("messages", 0, "content")),
        ([{"role": "user", "content": [{"type": None, "text": "Hi"}]}], ("messages", 0, "content")),
        ([{"role": "user", "content": [{"type": "text", "text": None}]}], ("messages", 0, "content")),
        ([{"role": "system", "content": "Whisper."}], ()),
        ([USER, {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}], ()),
        ([USER, {"role": "assistant", "content": "Hello", "tool_calls": [{"id": "1"}]}], ()),
    ],
)
def test_messages_that_cannot_be_answered_are_refused_with_their_place(
    messages: list[Any], where: tuple[str | int, ...]
) -> None:
    assert problem(messages=messages)["loc"] == where


def test_the_fingerprint_is_the_same_for_the_same_request_in_another_order() -> None:
    one = TurnRequest.model_validate({"messages": [USER], "temperature": 1, "seed": 2})
    other = TurnRequest.model_validate({"seed": 2, "stream": True, "temperature": 1, "messages": [USER]})

    assert one.fingerprint() == other.fingerprint()
    assert one.fingerprint() != TurnRequest.model_validate({"messages": [USER], "seed": 2}).fingerprint()


def test_so_many_messages_and_not_one_more() -> None:
    message = {"role": "user", "content": "Hi"}
    TurnRequest.model_validate({"messages": [message] * 10_000})
    with pytest.raises(ValidationError, match="at most 10000"):
        TurnRequest.model_validate({"messages": [message] * 10_001})
