"""Conversations change in the storage while an engine knows them: another process imports, deletes and forks there."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from idolchat_core.errors import ConversationNotFound
from idolchat_core.events.events import TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider, a_message
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnOptions, TurnRequest


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


@pytest.fixture
def llm() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
async def turns(storage: InMemoryStorage, llm: ScriptedProvider) -> AsyncGenerator[TurnEngine]:
    async with TurnEngine(storage, llm, settings=CoreSettings(shutdown_grace_s=0)) as opened:
        yield opened


async def begin(turns: TurnEngine, text: str, before: LiveTurn | None = None) -> LiveTurn:
    about = {"conversation_id": str(before.conversation_id)} if before else {}
    return await turns.start(TurnRequest.model_validate({"messages": [{"role": "user", "content": text}], **about}))


async def test_a_conversation_that_was_deleted_begins_anew_with_the_next_message(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say("Hello", "Who are you?")
    turn = await begin(turns, "I am Ann")
    await turn.ended()
    await storage.delete(turn.conversation_id)
    await (await begin(turns, "Do you know me?", turn)).ended()

    stored = await storage.read(turn.conversation_id)
    assert [message.content for message in stored.messages] == ["Do you know me?", "Who are you?"]
    assert [message["content"] for message in llm.requests[-1].messages] == ["Do you know me?"]


async def test_the_reply_in_a_conversation_that_was_deleted_meanwhile_does_not_bring_it_back(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    may_go_on = asyncio.Event()
    llm.say([may_go_on, "Hello"])
    turn = await begin(turns, "Hi")
    await storage.delete(turn.conversation_id)
    may_go_on.set()
    ended = await turn.ended()

    assert ended.state is TurnState.FAILED
    assert "was deleted" in (ended.error or {})["message"]
    with pytest.raises(ConversationNotFound):
        await storage.read(turn.conversation_id)


async def test_another_reply_in_a_conversation_that_was_deleted_fails(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say("Hello", "Hello again")
    turn = await begin(turns, "Hi")
    await turn.ended()
    await storage.delete(turn.conversation_id)
    again = await turns.regenerate(turn.conversation_id, TurnOptions())

    assert (await again.ended()).state is TurnState.FAILED


async def test_a_conversation_that_was_replaced_goes_on_from_what_is_there_now(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say("Hello", "La la la")
    turn = await begin(turns, "Hi")
    await turn.ended()
    old = await storage.read(turn.conversation_id)
    other = (a_message("Sing"), a_message("La", role="assistant"), a_message("More"))
    await storage.put(old.model_copy(update={"messages": other}))
    await (await begin(turns, "And more", turn)).ended()

    stored = await storage.read(turn.conversation_id)
    assert [message.content for message in stored.messages] == ["Sing", "La", "More", "And more", "La la la"]
    assert [message["content"] for message in llm.requests[-1].messages][:2] == ["Sing", "La"]
