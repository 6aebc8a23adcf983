"""Turns that go after an earlier message: another reply, another question, another conversation."""

from uuid import UUID, uuid4

import pytest
from one_engine import ask, said, sent

from idolchat_core.conversations.branches import active_branch, choose_head, fork
from idolchat_core.errors import InvalidRequest
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnOptions, TurnRequest


async def test_regenerating_adds_a_sibling_and_makes_it_active(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say("Hello!", "Good day!")
    first = await turns.start(ask("Hi"))
    await first.ended()
    await (await turns.regenerate(first.conversation_id, TurnOptions())).ended()

    stored = await storage.read(first.conversation_id)
    assert [m.content for m in stored.messages] == ["Hi", "Hello!", "Good day!"]
    assert [m.content for m in active_branch(stored)] == ["Hi", "Good day!"]
    assert sent(llm) == [("user", "Hi")]


async def test_editing_puts_another_message_in_its_place(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say("Hello!", "La la", "A poem")
    first = await turns.start(ask("Hi"))
    await first.ended()
    second = await turns.start(ask("Sing", conversation_id=str(first.conversation_id)))
    await second.ended()
    edit = ask("Recite", conversation_id=str(first.conversation_id))
    await (await turns.edit(second.user_message_id, edit)).ended()

    stored = await storage.read(first.conversation_id)
    assert [m.content for m in active_branch(stored)] == ["Hi", "Hello!", "Recite", "A poem"]
    assert len(stored.messages) == 6


async def test_editing_the_first_message_begins_the_branch_anew(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    first = await turns.start(ask("Hi"))
    await first.ended()
    await (await turns.edit(first.user_message_id, ask("Hey", conversation_id=str(first.conversation_id)))).ended()

    assert [m.content for m in active_branch(await storage.read(first.conversation_id))] == ["Hey", "Hey"]


async def test_the_branch_that_is_chosen_is_the_one_that_goes_on(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say("Hello!", "Good day!", "La la")
    first = await turns.start(ask("Hi"))
    ended = await first.ended()
    await (await turns.regenerate(first.conversation_id, TurnOptions())).ended()
    assert ended.message is not None
    await choose_head(turns, storage, first.conversation_id, ended.message.id)
    await (await turns.start(ask("Sing", conversation_id=str(first.conversation_id)))).ended()

    assert sent(llm) == [("user", "Hi"), ("assistant", "Hello!"), ("user", "Sing")]


async def many_replies(turns: TurnEngine, llm: ScriptedProvider, *, times: int) -> UUID:
    """Ask once and have it answered so many times."""
    llm.say(*map(str, range(times)))
    first = await turns.start(ask("Count"))
    await first.ended()
    for _ in range(times - 1):
        await (await turns.regenerate(first.conversation_id, TurnOptions())).ended()
    return first.conversation_id


async def test_a_branch_goes_on_that_ends_long_before_the_newest_message(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    counted = await many_replies(turns, llm, times=150)
    await choose_head(turns, storage, counted, (await storage.read(counted)).messages[1].id)
    await (await turns.start(ask("Sing", conversation_id=str(counted)))).ended()

    assert [m.content for m in active_branch(await storage.read(counted))] == ["Count", "0", "Sing", "Sing"]


async def test_a_message_of_another_branch_is_edited_there(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    first = await turns.start(ask("Hi"))
    await first.ended()
    where = str(first.conversation_id)
    sung = await turns.start(ask("Sing", conversation_id=where))
    await sung.ended()
    await (await turns.edit(first.user_message_id, ask("Hey", conversation_id=where))).ended()
    await (await turns.edit(sung.user_message_id, ask("Recite", conversation_id=where))).ended()

    assert [m.content for m in active_branch(await storage.read(first.conversation_id))] == ["Hi", "Hi"] + [
        "Recite"
    ] * 2
    with pytest.raises(InvalidRequest, match="no message"):
        await turns.edit(uuid4(), ask("Else", conversation_id=where))
    await (await turns.start(ask("Go on", conversation_id=where))).ended()
    assert sent(llm)[-3:] == [("user", "Recite"), ("assistant", "Recite"), ("user", "Go on")]


@pytest.mark.parametrize("edited", range(29, 35))
async def test_an_edited_message_keeps_what_it_follows_wherever_it_stands(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage, edited: int
) -> None:
    first = await turns.start(ask("0"))
    await first.ended()
    where = str(first.conversation_id)
    ids = [(await turns.start(ask(str(number), conversation_id=where))).user_message_id for number in range(1, 50)]
    await (await turns.start(ask("50", conversation_id=where))).ended()
    turns.forget(first.conversation_id)
    await (await turns.edit(ids[-edited], ask("Sing", conversation_id=where))).ended()

    asked = [m.content for m in active_branch(await storage.read(first.conversation_id)) if m.role == "user"]
    assert asked == [*map(str, range(50 - edited)), "Sing"]


async def test_a_reply_is_made_anew_that_stands_long_before_the_newest_message(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    counted = await many_replies(turns, llm, times=150)
    await choose_head(turns, storage, counted, (await storage.read(counted)).messages[1].id)
    await (await turns.regenerate(counted, TurnOptions())).ended()

    assert [m.role for m in active_branch(await storage.read(counted))] == ["user", "assistant"]


async def test_a_message_is_answered_again_that_stands_long_before_its_newest_reply(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    counted = await many_replies(turns, llm, times=150)
    turns.forget(counted)
    await (await turns.regenerate(counted, TurnOptions())).ended()

    assert [m.role for m in active_branch(await storage.read(counted))] == ["user", "assistant"]


async def test_a_reply_is_continued_by_its_text_that_stands_long_after_its_question(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    counted = await many_replies(turns, llm, times=150)
    turns.forget(counted)
    llm.say(", 150")
    request = {"messages": [{"role": "assistant", "content": "149"}], "conversation_id": counted}
    await (await turns.start(TurnRequest.model_validate(request))).ended()

    assert [m.content for m in active_branch(await storage.read(counted))] == ["Count", "149, 150"]


async def test_a_fork_is_a_conversation_of_its_own(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    first = await turns.start(ask("Hi"))
    await first.ended()
    forked = await fork(storage, first.conversation_id, plugins=load_plugins(installed=False))
    await (await turns.start(ask("Sing", conversation_id=str(forked.id)))).ended()

    assert len((await storage.read(first.conversation_id)).messages) == 2
    assert [content for _, content in await said(storage, forked.id)] == ["Hi", "Hi", "Sing", "Sing"]
