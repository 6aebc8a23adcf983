"""Conversations change in the storage while an engine knows them: another process imports, deletes and forks there."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from one_engine import ask

from idolchat_core.coordination.contract import Coordination, NewMessages, Write
from idolchat_core.coordination.local import LocalBus, LocalCounters, StoredTurns
from idolchat_core.errors import ConversationNotFound, RevisionMismatch, StorageUnavailable
from idolchat_core.events.events import TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import new_id
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider, a_message
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnOptions, TurnRequest


async def begin(turns: TurnEngine, text: str, before: LiveTurn | None = None) -> LiveTurn:
    return await turns.start(ask(text, before))


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


async def test_another_reply_in_a_conversation_that_was_deleted_is_not_paid_for(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say("Hello")
    turn = await begin(turns, "Hi")
    await turn.ended()
    await storage.delete(turn.conversation_id)

    with pytest.raises(ConversationNotFound):
        await turns.regenerate(turn.conversation_id, TurnOptions())
    assert len(llm.requests) == 1


async def replace(storage: InMemoryStorage, turn: LiveTurn, *texts: str, keeps_ids: bool) -> None:
    """Put other messages in place of those of a conversation, as many as there are, as an import does."""
    old = await storage.read(turn.conversation_id)
    assert len(old.messages) == len(texts)
    changed = [
        message.model_copy(update={"content": text, "id": message.id if keeps_ids else new_id()})
        for message, text in zip(old.messages, texts, strict=True)
    ]
    await storage.put(old.model_copy(update={"messages": tuple(changed)}))


@pytest.mark.parametrize("keeps_ids", [True, False])
async def test_the_next_turn_reads_what_replaced_as_many_messages(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider, *, keeps_ids: bool
) -> None:
    llm.say("Hello", "La la la")
    turn = await begin(turns, "Hi")
    await turn.ended()
    await replace(storage, turn, "Sing", "La", keeps_ids=keeps_ids)
    await (await begin(turns, "More", turn)).ended()

    assert [message["content"] for message in llm.requests[-1].messages] == ["Sing", "La", "More"]
    stored = await storage.read(turn.conversation_id)
    assert [message.content for message in stored.messages] == ["Sing", "La", "More", "La la la"]


@pytest.mark.parametrize("keeps_ids", [True, False])
async def test_another_reply_answers_what_is_stored_now(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider, *, keeps_ids: bool
) -> None:
    llm.say("Hello", "La la la")
    turn = await begin(turns, "Hi")
    await turn.ended()
    await replace(storage, turn, "Sing", "La", keeps_ids=keeps_ids)
    await (await turns.regenerate(turn.conversation_id, TurnOptions())).ended()

    assert [message["content"] for message in llm.requests[-1].messages] == ["Sing"]
    asked, _, reply = (await storage.read(turn.conversation_id)).messages
    assert (reply.content, reply.parent_id) == ("La la la", asked.id)


async def test_a_reply_to_a_message_that_was_replaced_is_kept_and_follows_nothing(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    may_go_on = asyncio.Event()
    llm.say([may_go_on, "Hello"])
    turn = await begin(turns, "Hi")
    await replace(storage, turn, "Sing", keeps_ids=False)
    may_go_on.set()
    await turn.ended()

    stored = await storage.read(turn.conversation_id)
    assert [message.content for message in stored.messages] == ["Sing", "Hello"]
    assert stored.messages[1].parent_id is None
    assert stored.head == stored.messages[0].id


async def test_an_edit_of_what_has_changed_since_it_was_read_is_refused(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say("Hello")
    turn = await begin(turns, "Hi")
    await turn.ended()
    page = await storage.read_page(turn.conversation_id, limit=2)
    await storage.update(turn.conversation_id, {"title": "x"}, expected_count=2)
    edited = {"messages": [{"role": "user", "content": "Ho"}], "conversation_id": str(turn.conversation_id)}

    with pytest.raises(RevisionMismatch):
        await turns.edit(
            page.conversation.messages[0].id,
            TurnRequest.model_validate(edited),
            expected_revision=page.revision,
        )
    assert (await storage.read_page(turn.conversation_id, limit=1)).total == 2


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


async def test_a_message_that_another_process_has_added_is_edited(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    await (turn := await begin(turns, "Hi")).ended()
    added = (a_message("Sing!", after_s=1), a_message("La la la", after_s=2, role="assistant"))
    await storage.append(turn.conversation_id, added, expected_count=2, updated_at=added[1].timestamp)
    edit = {"messages": [{"role": "user", "content": "Dance!"}], "conversation_id": str(turn.conversation_id)}
    await (await turns.edit(added[0].id, TurnRequest.model_validate(edit))).ended()

    assert [message["content"] for message in llm.requests[-1].messages] == ["Hi", "Hi", "Dance!"]


class AnswersLost(StoredTurns):
    """Puts what may follow behind what others have added, and does not know behind what: that answer was lost."""

    async def begin(self, conversation_id: UUID, turn_id: UUID, write: Write | None, **more: Any) -> str | None:
        is_lost = isinstance(write, NewMessages) and write.on_added is not None
        if isinstance(write, NewMessages) and is_lost:
            now = await self._storage.read_page(conversation_id, limit=1)
            write = write._replace(expected_count=now.total, expected_revision=now.revision)
        revision = await super().begin(conversation_id, turn_id, write, **more)
        return None if is_lost else revision


async def test_a_turn_knows_what_it_follows_where_the_answer_that_told_it_was_lost(llm: ScriptedProvider) -> None:
    storage = InMemoryStorage()
    storage.is_shared = True
    coordination = Coordination(turns=AnswersLost(storage), bus=LocalBus(), counters=LocalCounters())
    settings = CoreSettings(shutdown_grace_s=0)
    async with TurnEngine(storage, llm, settings=settings, coordination=coordination) as turns:
        await (turn := await begin(turns, "Hi")).ended()
        added = (a_message("Sing!"), a_message("La la la", role="assistant"))
        for at, message in enumerate(added):
            await storage.append(turn.conversation_id, [message], expected_count=2 + at, updated_at=turn.created_at)
        await (await begin(turns, "More!", turn)).ended()
        await (await begin(turns, "And more!", turn)).ended()

    said = ["Hi", "Hi", "Sing!", "La la la", "More!", "More!", "And more!"]
    assert [message["content"] for message in llm.requests[-1].messages] == said
    assert [message["content"] for message in llm.requests[-2].messages] == said[:5]


class LosesAnAnswer(InMemoryStorage):
    """Stores what is appended, and then fails once, as where a connection is lost before the answer has come."""

    is_reached = True

    async def append(self, *arguments: Any, **expected: Any) -> str | None:
        revision = await super().append(*arguments, **expected)
        if not self.is_reached:
            self.is_reached = True
            raise StorageUnavailable("the connection was lost; send again")
        return revision


async def test_a_message_whose_storing_was_not_answered_is_stored_once_when_it_is_sent_again(
    llm: ScriptedProvider,
) -> None:
    storage = LosesAnAnswer()
    llm.say("Hello", "La la la")
    async with TurnEngine(storage, llm, settings=CoreSettings(shutdown_grace_s=0)) as turns:
        await (turn := await begin(turns, "Hi")).ended()
        storage.is_reached = False
        with pytest.raises(StorageUnavailable):
            await turns.start(ask("Sing!", turn), idempotency_key="sing")
        await (await turns.start(ask("Sing!", turn), idempotency_key="sing")).ended()

    stored = await storage.read(turn.conversation_id)
    assert [message.content for message in stored.messages] == ["Hi", "Hello", "Sing!", "La la la"]


class BeginsAgain(StoredTurns):
    """Finds that what begins a turn is stored already, as where the answer to the first of two tries was lost."""

    def __init__(self, storage: InMemoryStorage) -> None:
        super().__init__(storage)
        self.made: list[str | None] = []
        self.expected: list[str | None] = []

    async def begin(self, *arguments: Any, **more: Any) -> None:
        self.made.append(await super().begin(*arguments, **more))

    async def end(self, conversation_id: UUID, turn_id: UUID, write: Write | None = None, **more: Any) -> str | None:
        if isinstance(write, NewMessages):
            self.expected.append(write.expected_revision)
        return await super().end(conversation_id, turn_id, write, **more)


async def test_a_conversation_that_was_begun_before_the_answer_was_lost_gets_its_reply(llm: ScriptedProvider) -> None:
    storage = InMemoryStorage()
    store = BeginsAgain(storage)
    coordination = Coordination(turns=store, bus=LocalBus(), counters=LocalCounters())
    llm.say("Hello", "La la la")
    settings = CoreSettings(shutdown_grace_s=0)
    async with TurnEngine(storage, llm, settings=settings, coordination=coordination) as turns:
        await (turn := await begin(turns, "Hi")).ended()
        await (await begin(turns, "Sing!", turn)).ended()

    stored = await storage.read(turn.conversation_id)
    assert [message.content for message in stored.messages] == ["Hi", "Hello", "Sing!", "La la la"]
    assert store.expected == store.made


async def test_a_reply_whose_storing_was_not_answered_is_told_when_its_message_is_sent_again(
    llm: ScriptedProvider,
) -> None:
    storage, sings = LosesAnAnswer(), asyncio.Event()
    llm.say("Hello", ["La ", sings, "la la"], "Another song")
    async with TurnEngine(storage, llm, settings=CoreSettings(shutdown_grace_s=0)) as turns:
        await (turn := await begin(turns, "Hi")).ended()
        lost = await turns.start(ask("Sing!", turn), idempotency_key="sing")
        storage.is_reached = False
        sings.set()
        await lost.ended()
        again = await turns.start(ask("Sing!", turn), idempotency_key="sing")
        await again.ended()

    stored = await storage.read(turn.conversation_id)
    assert [message.content for message in stored.messages] == ["Hi", "Hello", "Sing!", "La la la"]
    assert (lost.state, (lost.status.error or {})["code"]) == (TurnState.INCOMPLETE, "storage_unavailable")
    assert (again.state, again.content) == (TurnState.COMPLETED, "La la la")
    assert len(llm.requests) == 2
