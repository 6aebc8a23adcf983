"""Turns that go after an earlier message: another reply, another question, another conversation."""

from uuid import UUID

from one_engine import ask, said, sent

from idolchat_core.conversations.branches import active_branch, choose_head, fork
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnOptions


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


async def test_a_fork_is_a_conversation_of_its_own(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    first = await turns.start(ask("Hi"))
    await first.ended()
    forked = await fork(storage, first.conversation_id, plugins=load_plugins(installed=False))
    await (await turns.start(ask("Sing", conversation_id=str(forked.id)))).ended()

    assert len((await storage.read(first.conversation_id)).messages) == 2
    assert [content for _, content in await said(storage, forked.id)] == ["Hi", "Hi", "Sing", "Sing"]
