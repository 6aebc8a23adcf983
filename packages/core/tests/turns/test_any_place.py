"""Turns that go where a client says: after any message, or as another answer to any."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from one_engine import ask_all

from idolchat_core import InvalidRequest, Message
from idolchat_core.conversations.branches import active_branch
from idolchat_core.errors import TurnNotRetryable
from idolchat_core.events.events import TurnEnded
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.plan import After
from idolchat_core.turns.request import TurnOptions


@pytest.fixture
def llm() -> ScriptedProvider:
    return ScriptedProvider("one", "two", "three", "four", "five")


async def three_turns(turns: TurnEngine, storage: InMemoryStorage) -> tuple[UUID, Sequence[Message]]:
    conversation_id = uuid4()
    for text in ("A", "B", "C"):
        await (await turns.start(ask_all(("user", text), conversation_id=conversation_id))).ended()
    return conversation_id, (await storage.read(conversation_id)).messages


async def texts(storage: InMemoryStorage, conversation_id: UUID) -> list[Any]:
    return [message.content for message in active_branch(await storage.read(conversation_id))]


async def started(turns: TurnEngine, conversation_id: UUID, after: After, *said: tuple[str, str]) -> TurnEnded:
    turn = await turns.start(ask_all(*said, conversation_id=conversation_id), after=after)
    return await turn.ended()


async def test_messages_go_after_any_message_and_what_followed_it_stays(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    conversation_id, before = await three_turns(turns, storage)

    await started(turns, conversation_id, After(before[1].id), ("user", "X"))

    assert await texts(storage, conversation_id) == ["A", "one", "X", "four"]
    assert (await storage.read(conversation_id)).messages[:6] == tuple(before)
    assert [message["content"] for message in llm.requests[-1].messages] == ["A", "one", "X"]


async def test_messages_go_after_a_message_of_another_branch(turns: TurnEngine, storage: InMemoryStorage) -> None:
    conversation_id, before = await three_turns(turns, storage)
    await started(turns, conversation_id, After(before[1].id), ("user", "X"))

    await started(turns, conversation_id, After(before[5].id), ("user", "D"))

    assert await texts(storage, conversation_id) == ["A", "one", "B", "two", "C", "three", "D", "five"]


async def test_messages_go_before_the_first_one(turns: TurnEngine, storage: InMemoryStorage) -> None:
    conversation_id, _ = await three_turns(turns, storage)

    await started(turns, conversation_id, After(None), ("user", "A'"), ("assistant", "one"), ("user", "E"))

    assert await texts(storage, conversation_id) == ["A'", "one", "E", "four"]
    added = (await storage.read(conversation_id)).messages[6:]
    assert [message.origin for message in added] == [None, "client", None, None]


async def test_a_reply_that_a_client_began_is_continued_where_it_says(
    turns: TurnEngine, storage: InMemoryStorage
) -> None:
    conversation_id, before = await three_turns(turns, storage)

    await started(turns, conversation_id, After(before[2].id), ("assistant", "It was "))

    assert await texts(storage, conversation_id) == ["A", "one", "B", "It was four"]


async def test_a_place_that_is_not_there_is_refused_and_changes_nothing(
    turns: TurnEngine, storage: InMemoryStorage
) -> None:
    conversation_id, before = await three_turns(turns, storage)

    with pytest.raises(InvalidRequest, match="no message"):
        await turns.start(ask_all(("user", "X"), conversation_id=conversation_id), after=After(uuid4()))

    assert (await storage.read(conversation_id)).messages == tuple(before)
    await (await turns.start(ask_all(("user", "D"), conversation_id=conversation_id))).ended()
    assert (await texts(storage, conversation_id))[-2:] == ["D", "four"]


async def test_a_message_in_the_middle_is_answered_again(turns: TurnEngine, storage: InMemoryStorage) -> None:
    conversation_id, before = await three_turns(turns, storage)

    await (await turns.answer_again(conversation_id, before[2].id, TurnOptions())).ended()

    assert await texts(storage, conversation_id) == ["A", "one", "B", "four"]
    await (await turns.answer_again(conversation_id, before[4].id, TurnOptions())).ended()
    assert await texts(storage, conversation_id) == ["A", "one", "B", "two", "C", "five"]


async def test_a_reply_in_the_middle_is_continued(turns: TurnEngine, storage: InMemoryStorage) -> None:
    conversation_id, before = await three_turns(turns, storage)

    turn = await turns.continue_reply(conversation_id, before[1].id, TurnOptions(), changes_branch=True)
    await turn.ended()

    assert await texts(storage, conversation_id) == ["A", "onefour"]


async def test_what_is_not_there_cannot_be_answered_again(turns: TurnEngine, storage: InMemoryStorage) -> None:
    conversation_id, before = await three_turns(turns, storage)

    with pytest.raises(TurnNotRetryable):
        await turns.answer_again(conversation_id, uuid4(), TurnOptions())

    assert (await storage.read(conversation_id)).messages == tuple(before)


async def test_ids_follow_from_names_and_from_the_installation(turns: TurnEngine, llm: ScriptedProvider) -> None:
    async with TurnEngine(InMemoryStorage(), llm, settings=CoreSettings()) as elsewhere:
        assert elsewhere.derived_id("a", "b") != turns.derived_id("a", "b")

    assert turns.derived_id("a", "b") == turns.derived_id("a", "b") != turns.derived_id("ab")
