"""How deltas add up to a reply."""

from idolchat_core import Delta
from idolchat_core.events.reply_accumulator import ReplyAccumulator


def reply_of(*deltas: Delta) -> ReplyAccumulator:
    reply = ReplyAccumulator()
    reply.add(deltas)
    return reply


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
