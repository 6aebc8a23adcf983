"""Thoughts in the text of replies, and later prompts."""

from typing import Any

import pytest

from idolchat_core.models import Conversation, Message, Page, new_id, utc_now
from idolchat_core.prompt.budget import select_parts
from idolchat_core.prompt.builder import build_prompt
from idolchat_core.prompt.history import History


def prompt_texts(*said: tuple[str, str], **options: Any) -> list[str]:
    now = utc_now()
    messages = [Message(id=new_id(), role=role, content=text, timestamp=now) for role, text in said]
    conversation = Conversation(id=new_id(), created_at=now, updated_at=now, messages=tuple(messages))
    path = History(Page(conversation=conversation, start=0, total=len(messages), revision="")).path
    nothing = select_parts((), budgets={}, tokens_of=float, keeps_slots=False)
    prompt = build_prompt(nothing, path, budget_tokens=1e9, tokens_per_size=1.0, **options)
    return [message["content"] for message in prompt.messages]


@pytest.mark.parametrize(
    ("reply", "sent"),
    [
        ("<think>Who is it?</think>\n\nHello!", "Hello!"),
        ("\n<think>\nWho?\n</think>Hello!", "Hello!"),
        ("Write <think> like this.", "Write <think> like this."),
        ("<thinker> is a word", "<thinker> is a word"),
    ],
)
def test_thoughts_at_the_beginning_of_a_reply_are_not_sent_again(reply: str, sent: str) -> None:
    assert prompt_texts(("user", "Hi"), ("assistant", reply), ("user", "And?")) == ["Hi", sent, "And?"]


def test_a_reply_of_thoughts_alone_is_left_out_with_its_question() -> None:
    assert prompt_texts(("user", "Hi"), ("assistant", "<think>Who is"), ("user", "And?")) == ["And?"]


def test_a_user_s_words_are_theirs() -> None:
    assert prompt_texts(("user", "<think>me</think>Hi")) == ["<think>me</think>Hi"]


def test_thoughts_are_sent_where_they_are_to_be_kept() -> None:
    reply = "<think>Who?</think>Hello!"

    assert prompt_texts(("user", "Hi"), ("assistant", reply), ("user", "?"), keeps_thinking=True)[1] == reply
