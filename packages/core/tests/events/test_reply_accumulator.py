"""How deltas add up to a reply."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_core import Delta, Message, document, utc_now
from idolchat_core.events.reply_accumulator import ReplyAccumulator


def reply_of(*deltas: Delta) -> ReplyAccumulator:
    reply = ReplyAccumulator()
    reply.add(deltas)
    return reply


def added(reply: ReplyAccumulator, deltas: list[Delta]) -> list[Delta]:
    """Add deltas, and return them as readers see them."""
    return [Delta(delta) if isinstance(delta, str) else delta for delta in reply.add(deltas)]


def test_texts_are_joined_in_order() -> None:
    assert reply_of(Delta("Once "), Delta(""), Delta("upon")).content == "Once upon"


def test_tool_calls_are_merged_by_index() -> None:
    """As the OpenAI API streams them: the name once, the arguments in pieces."""
    reply = reply_of(
        Delta(fields={"tool_calls": [{"index": 1, "id": "b", "function": {"name": "dance", "arguments": ""}}]}),
        Delta(fields={"tool_calls": [{"index": 0, "id": "a", "function": {"name": "sing", "arguments": '{"key'}}]}),
        Delta(fields={"tool_calls": [{"index": 0, "function": {"arguments": '": "C"}'}}]}),
    )

    assert [call["function"] for call in reply.fields["tool_calls"]] == [
        {"name": "sing", "arguments": '{"key": "C"}'},
        {"name": "dance", "arguments": ""},
    ]
    assert not reply.is_empty


def test_reasoning_is_joined_and_its_details_are_kept_in_order() -> None:
    reply = reply_of(
        Delta(fields={"reasoning": "Let me ", "reasoning_details": [{"text": "Let me "}]}),
        Delta(fields={"reasoning": "think", "reasoning_details": [{"text": "think"}], "refusal": None}),
    )

    assert reply.fields == {"reasoning": "Let me think", "reasoning_details": [{"text": "Let me "}, {"text": "think"}]}
    assert reply.is_empty


def test_the_model_is_the_one_that_the_provider_named() -> None:
    assert reply_of(Delta("a", model="mock/one"), Delta("b")).model == "mock/one"


def calls_of(*pieces: object) -> list[dict[str, Any]]:
    reply = reply_of(*(Delta(fields={"tool_calls": [piece]}) for piece in pieces))
    return [{"id": call["id"], **call["function"]} for call in reply.fields.get("tool_calls", [])]


def test_another_id_at_the_same_index_begins_another_call() -> None:
    calls = calls_of(
        {"index": 0, "id": "call_a", "function": {"name": "sing", "arguments": "{}"}},
        {"index": 0, "id": "call_b", "function": {"name": "dance", "arguments": "{}"}},
        {"index": 0, "function": {"arguments": " "}},
    )

    assert calls == [
        {"id": "call_a", "name": "sing", "arguments": "{}"},
        {"id": "call_b", "name": "dance", "arguments": "{} "},
    ]


def test_a_call_whose_index_is_null_stands_beside_one_that_has_one() -> None:
    calls = calls_of(
        {"index": 0, "id": "a", "function": {"name": "sing", "arguments": "{}"}},
        {"index": None, "id": "b", "function": {"name": "dance", "arguments": "{"}},
        {"index": None, "function": {"arguments": "}"}},
    )

    assert [(call["id"], call["arguments"]) for call in calls] == [("a", "{}"), ("b", "{}")]


def test_arguments_that_are_an_object_become_json_text() -> None:
    [call] = calls_of({"index": 0, "id": "c1", "function": {"name": "sing", "arguments": {"key": "C"}}})

    assert call["arguments"] == '{"key":"C"}'


@pytest.mark.parametrize("given", [{}, {"id": ""}, {"id": None}, {"id": 7}])
def test_a_call_without_an_id_gets_one_that_readers_see_too(given: dict[str, Any]) -> None:
    reply = ReplyAccumulator()
    piece = {"index": 0, **given, "function": {"name": "sing", "arguments": "{}"}}

    [told] = added(reply, [Delta(fields={"tool_calls": [piece]})])

    [call] = reply.fields["tool_calls"]
    assert call["id"].startswith("call_")
    assert told.fields == {"tool_calls": [{"index": 0, "id": call["id"], "function": piece["function"]}]}


def test_two_calls_never_share_an_id() -> None:
    calls = calls_of(
        {"index": 0, "id": "same", "function": {"name": "sing", "arguments": ""}},
        {"index": 1, "id": "same", "function": {"name": "dance", "arguments": ""}},
    )

    assert len({call["id"] for call in calls}) == 2


def test_what_is_right_is_told_as_it_came() -> None:
    deltas = [
        Delta("Hi"),
        Delta(fields={"reasoning": "hm", "tool_calls": [{"index": 0, "id": "a", "type": "function"}]}),
    ]

    assert added(ReplyAccumulator(), deltas) == deltas


def test_a_legacy_function_call_is_joined() -> None:
    reply = reply_of(
        Delta(fields={"function_call": {"name": "sing", "arguments": '{"key'}}),
        Delta(fields={"function_call": {"arguments": '": "C"}'}}),
    )

    assert reply.fields["function_call"] == {"name": "sing", "arguments": '{"key": "C"}'}


def test_audio_is_joined() -> None:
    reply = reply_of(
        Delta(fields={"audio": {"id": "a1", "data": "AAA", "transcript": "Hel"}}),
        Delta(fields={"audio": {"data": "BBB", "transcript": "lo", "expires_at": 9}}),
    )

    assert reply.fields["audio"] == {"id": "a1", "data": "AAABBB", "transcript": "Hello", "expires_at": 9}


@pytest.mark.parametrize(
    "name",
    ["parent_id", "idempotency_key", "request_hash", "tool_call_id", "id", "turn_id", "timestamp", "head", "name"],
)
def test_a_provider_cannot_write_our_fields(name: str) -> None:
    reply = ReplyAccumulator()

    [told] = added(reply, [Delta("!", fields={name: "01900000-0000-7000-8000-000000000000"})])

    assert (reply.fields, told) == ({}, Delta("!"))


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_field_that_is_nested_too_deep_is_left_out_and_the_rest_kept() -> None:
    reply = reply_of(Delta("Hi", fields={"reasoning": "hm", "reasoning_details": nested(300)}))

    assert (reply.content, reply.fields) == ("Hi", {"reasoning": "hm"})


def test_a_number_that_json_does_not_have_is_null() -> None:
    reply = reply_of(Delta(fields={"annotations": [{"score": float("inf"), "count": 10**400}]}))

    assert reply.fields == {"annotations": [{"score": None, "count": None}]}


any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
piece_names = st.sampled_from(["index", "id", "type", "function"])
pieces = st.dictionaries(
    piece_names,
    any_value | st.integers(0, 3) | st.dictionaries(st.sampled_from(["name", "arguments"]), any_value, max_size=2),
)
fields = st.dictionaries(
    st.sampled_from(
        ["tool_calls", "reasoning", "reasoning_details", "refusal", "audio", "function_call", "name", "id"]
    ),
    any_value | st.lists(pieces | any_value, max_size=3),
)


@given(st.lists(st.builds(Delta, st.text(max_size=5), fields | st.none()), max_size=8))
def test_whatever_a_provider_sends_the_reply_can_be_told_and_stored(deltas: list[Delta]) -> None:
    reply, again = ReplyAccumulator(), ReplyAccumulator()

    told = added(reply, deltas)
    again.add(told)

    stored = document.line(
        Message(id="m", role="assistant", content=reply.content, timestamp=utc_now(), **reply.fields)
    )
    assert document.parse_line(stored).tool_calls == reply.fields.get("tool_calls")
    assert (again.content, again.fields) == (reply.content, reply.fields)
    assert reply.content == "".join(delta.content for delta in deltas)
