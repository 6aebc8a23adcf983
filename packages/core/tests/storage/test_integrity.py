"""Mending leaves no flaw and every word."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from idolchat_core.models import Conversation, Message
from idolchat_core.storage import document
from idolchat_core.storage.integrity import issues_of, repaired
from idolchat_core.testing import a_conversation
from idolchat_core.testing.storage_rules.making import START

NAMES = st.sampled_from(["a", "b", "c"])
MESSAGES = st.builds(
    lambda message_id, role, seconds, parent: Message.model_validate(
        {
            "id": message_id,
            "role": role,
            "content": "hi",
            "timestamp": START + timedelta(seconds=seconds),
            "mood": "shy",
        }
        | ({"parent_id": parent} if parent else {})
    ),
    NAMES,
    st.sampled_from(["user", "assistant"]),
    st.integers(0, 9),
    st.none() | NAMES,
)


@given(st.lists(MESSAGES, max_size=8), st.none() | NAMES, st.booleans())
def test_what_is_mended_has_no_flaw_and_every_message(messages: list[Message], head: str | None, damaged: bool) -> None:
    given_fields: dict[str, Any] = (
        {"title": "kept"} | ({"head": head} if head else {}) | ({"status": "damaged"} if damaged else {})
    )
    conversation = a_conversation(**given_fields).model_copy(update={"messages": tuple(messages)})
    sound = repaired(conversation)

    assert list(issues_of(sound)) == []
    assert document.decode(document.encode(sound), sound.id) == sound
    assert [(m.role, m.content, m.model_extra) for m in sound.messages] == [
        (m.role, m.content, m.model_extra) for m in messages
    ]
    assert (sound.model_extra, sound.created_at) == ({"title": "kept"}, conversation.created_at)
    if not list(issues_of(conversation)):
        assert sound == conversation


def test_a_message_that_waited_for_another_reply_is_no_flaw() -> None:
    times = {"user": 0, "assistant": 9}
    messages = [
        Message(id=str(number), role=role, content="", timestamp=START + timedelta(seconds=times[role] + number))
        for number, role in enumerate(["user", "assistant", "user", "assistant"])
    ]
    conversation: Conversation = a_conversation().model_copy(update={"messages": tuple(messages)})

    assert list(issues_of(conversation)) == []
