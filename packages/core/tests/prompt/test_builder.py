"""What is sent to the model: within the window, whole turns, long shared prefixes."""

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from idolchat_core.errors import ContextTooLong
from idolchat_core.llm.token_estimator import TokenEstimator, text_size
from idolchat_core.models import Conversation, Message, Page, new_id, utc_now
from idolchat_core.prompt.builder import Prompt, PromptBlock, build_prompt
from idolchat_core.prompt.history import History

SYSTEM = PromptBlock(content="You are Hoshino Mira, a cheerful idol.")


def said(role: str, content: str | None, *, turn_id: UUID | None = None, **more: Any) -> Message:
    return Message(id=new_id(), role=role, content=content, timestamp=utc_now(), turn_id=turn_id, **more)


def history_of(*messages: Message) -> History:
    now = utc_now()
    conversation = Conversation(id=new_id(), created_at=now, updated_at=now, messages=messages)
    return History(Page(conversation=conversation, start=0, total=len(messages)))


def prompt_of(*messages: Message, budget_tokens: float = 1e9) -> Prompt:
    return build_prompt([SYSTEM], history_of(*messages).path, budget_tokens=budget_tokens, tokens_per_size=1.0)


def texts(prompt: Prompt) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in prompt.messages[1:]]


def exchange(question: str, answer: str, **more: Any) -> tuple[Message, Message]:
    turn_id = new_id()
    return said("user", question, turn_id=turn_id), said("assistant", answer, turn_id=turn_id, **more)


def test_a_prompt_is_the_instructions_and_then_the_history_oldest_first() -> None:
    prompt = prompt_of(*exchange("Hi", "Hello!"), said("user", "Sing!"))

    assert prompt.messages[0] == {"role": "system", "content": SYSTEM.content}
    assert texts(prompt) == [("user", "Hi"), ("assistant", "Hello!"), ("user", "Sing!")]


def test_a_turn_without_a_reply_is_not_sent_again() -> None:
    failed = [exchange("Are you there?", "", finish_reason="error") for _ in range(5)]
    prompt = prompt_of(*exchange("Hi", "Hello!"), *sum(failed, ()), said("user", "Sing!", turn_id=new_id()))

    assert texts(prompt) == [("user", "Hi"), ("assistant", "Hello!"), ("user", "Sing!")]


def test_a_message_that_a_crash_left_unanswered_is_not_sent_again() -> None:
    orphan = said("user", "Lost?", turn_id=new_id())
    prompt = prompt_of(*exchange("Hi", "Hello!"), orphan, said("user", "Sing!", turn_id=new_id()))

    assert texts(prompt)[2:] == [("user", "Sing!")]


@pytest.mark.parametrize("reason", ["cancelled", "incomplete", "interrupted"])
def test_part_of_a_reply_is_sent_as_far_as_it_went(reason: str) -> None:
    prompt = prompt_of(*exchange("Tell me a story", "Once upon", finish_reason=reason), said("user", "Go on"))

    assert texts(prompt)[1] == ("assistant", "Once upon")


def test_messages_of_one_role_in_a_row_become_one() -> None:
    prompt = prompt_of(said("user", "Hi"), said("user", "Anybody?"), said("assistant", "Yes"), said("user", "Good"))

    assert texts(prompt)[0] == ("user", "Hi\n\nAnybody?")


CALL = {"id": "call_1", "type": "function", "function": {"name": "sing", "arguments": "{}"}}


def tool_turn(*, answered: bool) -> list[Message]:
    called = [said("user", "Sing", turn_id=new_id()), said("assistant", None, turn_id=new_id(), tool_calls=[CALL])]
    return [*called, said("tool", "la la", turn_id=new_id(), tool_call_id="call_1")] if answered else called


def test_a_tool_call_that_was_never_answered_is_left_out() -> None:
    prompt = prompt_of(*exchange("Hi", "Hello!"), *tool_turn(answered=False), said("user", "Well?", turn_id=new_id()))

    assert texts(prompt) == [("user", "Hi"), ("assistant", "Hello!"), ("user", "Well?")]


def test_a_tool_result_stands_behind_its_call() -> None:
    prompt = prompt_of(*tool_turn(answered=True))

    assert [message["role"] for message in prompt.messages] == ["system", "user", "assistant", "tool"]


def test_a_message_too_long_for_the_window_is_an_error_that_tells_the_room() -> None:
    with pytest.raises(ContextTooLong, match="room for 100"):
        prompt_of(said("user", "x" * 3000), budget_tokens=100)


@given(st.lists(st.sampled_from(["plain", "tools", "failed", "empty", "orphan"]), max_size=40), st.integers(60, 600))
def test_no_prompt_is_over_budget_or_splits_a_tool_call_from_its_result(kinds: list[str], budget: int) -> None:
    messages: list[Message] = []
    for kind in kinds:
        if kind == "tools":
            messages += [*tool_turn(answered=True), said("assistant", "I sang", turn_id=new_id())]
        elif kind == "orphan":
            messages.append(said("user", "lost", turn_id=new_id()))
        else:
            reply = {"plain": "fine", "failed": "", "empty": ""}[kind]
            reason = "error" if kind == "failed" else "stop"
            messages += exchange("How are you?", reply, finish_reason=reason)
    prompt = prompt_of(*messages, said("user", "Now?", turn_id=new_id()), budget_tokens=budget)

    called = [message for message in prompt.messages if message.get("tool_calls")]
    results = [message for message in prompt.messages if message["role"] == "tool"]
    assert prompt.size <= budget
    assert len(called) == len(results)
    assert all(message["content"] or message.get("tool_calls") for message in prompt.messages)
    assert all(a["role"] != b["role"] for a, b in pairwise(prompt.messages))


def shared_tokens(one: Sequence[Any], other: Sequence[Any], sizes: dict[str, int]) -> int:
    shared = 0
    for before, after in zip(one, other, strict=False):
        if before != after:
            break
        shared += sizes[str(after["content"])]
    return shared


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    longest=st.integers(10, 55),
    bytes_per_token=st.floats(2.2, 5.0),
)
@example(seed=1309, longest=52, bytes_per_token=2.3125)
@example(seed=18, longest=55, bytes_per_token=2.3125)
def test_prompts_over_500_turns_never_overflow_and_share_their_beginning(
    seed: int, longest: int, bytes_per_token: float
) -> None:
    """The provider counts with a tokenizer of its own; the window is small: 40 to 200 turns fit."""
    window_tokens, reply_tokens = 4096, 512
    chance = random.Random(seed)
    estimator, history = TokenEstimator(), history_of()
    sizes: dict[str, int] = {str(SYSTEM.content): round(len(SYSTEM.content) / bytes_per_token)}
    before: list[Any] = []
    shares, breaks = [], []
    for turn in range(500):
        for role in ("user", "assistant"):
            text = f"{turn} {role} " + " ".join(
                "la" * chance.randint(1, 4) for _ in range(chance.randint(1, longest // 2))
            )
            sizes[text] = round(len(text) / bytes_per_token) + 4
            if role == "user":
                history.add([said(role, text, turn_id=new_id())], keep=len(history.path))
                prompt = build_prompt(
                    [SYSTEM],
                    history.path,
                    budget_tokens=window_tokens - reply_tokens,
                    tokens_per_size=estimator.tokens(1.0, None),
                    cut=history.cut,
                    is_complete=True,
                )
                history.cut = prompt.cut
                actual = sum(sizes[str(message["content"])] for message in prompt.messages)
                estimator.learn(prompt.size, None, input_tokens=actual)
                assert actual <= window_tokens - reply_tokens
                shares.append(shared_tokens(before, prompt.messages, sizes) / actual)
                if prompt.messages[: len(before)] != before:
                    breaks.append(turn)
                before = list(prompt.messages)
            else:
                history.add([said(role, text, turn_id=new_id())], keep=len(history.path))

    assert sum(shares) / len(shares) >= 0.9
    assert all(later - earlier >= 20 for earlier, later in pairwise(breaks))
    assert breaks, "the window was never full: the test shows nothing"


@given(st.text(max_size=200))
def test_a_text_is_never_thought_smaller_than_two_fifths_of_its_characters(text: str) -> None:
    assert text_size(text) >= 0.33 * len(text) - 1e-6


def test_the_estimate_rises_at_once_and_falls_slowly() -> None:
    estimator = TokenEstimator()
    estimator.learn(100, "m", input_tokens=200)
    high = estimator.tokens(100, "m")
    estimator.learn(100, "m", input_tokens=50)

    assert high >= 200
    assert 100 < estimator.tokens(100, "m") < high
    assert estimator.tokens(100, "another") == 100
