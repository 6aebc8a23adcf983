"""Turns that could not be stored when they ended: nothing of them is lost, doubled or out of order."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from copy import deepcopy
from typing import Any
from uuid import UUID, uuid4

import pytest
from one_engine import ask

from idolchat_core.conversations.branches import active_branch, delete
from idolchat_core.errors import ConversationNotFound, StorageUnavailable
from idolchat_core.events.events import TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import Conversation, Message
from idolchat_core.settings import CoreSettings
from idolchat_core.storage.contract import Storage
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, ScriptedProvider, a_message
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnOptions, TurnRequest


class RefusingStorage(InMemoryStorage):
    """Refuses to append, or to remove records, while it is told to."""

    refuses = False
    keeps_records = False

    def __init__(self) -> None:
        super().__init__()
        self.saved = asyncio.Event()
        self.appended = asyncio.Event()

    def __deepcopy__(self, memo: dict[int, Any]) -> InMemoryStorage:
        """Return what a crash would leave."""
        left = InMemoryStorage()
        left.__dict__.update(deepcopy({name: vars(self)[name] for name in vars(left)}, memo))
        return left

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        version = await super().put_record(namespace, name, value, durable=durable, if_version=if_version)
        if not durable:
            self.saved.set()
        return version

    async def append(self, conversation_id: UUID, messages: Sequence[Message], **more: Any) -> str | None:
        if self.refuses:
            raise StorageUnavailable("the disk is full")
        revision = await super().append(conversation_id, messages, **more)
        self.appended.set()
        return revision

    async def delete_record(self, namespace: str, name: str, *, if_version: str | None = None) -> None:
        if self.keeps_records:
            raise StorageUnavailable("the disk is read-only")
        await super().delete_record(namespace, name, if_version=if_version)


@pytest.fixture
def storage() -> RefusingStorage:
    return RefusingStorage()


@asynccontextmanager
async def engine(storage: Storage, llm: ScriptedProvider, **more: Any) -> AsyncGenerator[TurnEngine]:
    settings = CoreSettings(shutdown_grace_s=0)
    async with TurnEngine(storage, llm, settings=settings, **more) as turns:
        yield turns


def contents(conversation: Conversation) -> list[Any]:
    return [message.content for message in conversation.messages]


async def recovered(storage: InMemoryStorage, llm: ScriptedProvider, conversation_id: UUID) -> Conversation:
    """Start again on what a crash has left."""
    async with engine(storage, llm, recovers=True):
        pass
    assert await storage.list_records("turns") == []
    return await storage.read(conversation_id)


async def test_messages_that_waited_are_recovered_in_the_order_they_came(
    storage: RefusingStorage, llm: ScriptedProvider
) -> None:
    """Scenario row 13."""
    texts = [f"message {number}" for number in range(6)]
    llm.say([asyncio.Event()])
    conversation_id = uuid4()
    async with engine(storage, llm) as turns:
        for text in texts:
            await turns.start(ask(text, conversation_id=str(conversation_id)), idempotency_key=text)
        crashed = deepcopy(storage)
    conversation = await recovered(crashed, llm, conversation_id)

    assert [m.content for m in conversation.messages if m.role == "user"] == texts
    assert [m.role for m in conversation.messages] == ["user", "assistant"] * 6
    assert active_branch(conversation) == conversation.messages


async def test_a_reply_is_recovered_before_the_messages_that_waited_for_it(
    storage: RefusingStorage, llm: ScriptedProvider
) -> None:
    """Scenario row 13."""
    llm.say(["Once ", asyncio.Event()])
    async with engine(storage, llm) as turns:
        running = await turns.start(ask("A story"))
        for number in range(4):
            await turns.start(ask(f"waits {number}", conversation_id=str(running.conversation_id)))
        await storage.saved.wait()
        crashed = deepcopy(storage)
    conversation = await recovered(crashed, llm, running.conversation_id)

    assert contents(conversation)[:4] == ["A story", "Once ", "waits 0", ""]
    assert active_branch(conversation) == conversation.messages


async def test_a_message_that_nobody_answered_is_followed_by_an_interrupted_reply(
    storage: RefusingStorage, llm: ScriptedProvider
) -> None:
    """Scenario rows 13 and 20."""
    llm.say([asyncio.Event()])
    async with engine(storage, llm) as turns:
        unanswered = await turns.start(ask("first"))
        crashed = deepcopy(storage)
    async with engine(crashed, llm, recovers=True) as turns:
        turn = await turns.start(ask("second", conversation_id=str(unanswered.conversation_id)))
        await turn.ended()
        status = await turns.status(unanswered.turn_id)
    conversation = await crashed.read(unanswered.conversation_id)

    assert [(m.role, m.finish_reason) for m in conversation.messages][:3] == [
        ("user", None),
        ("assistant", "interrupted"),
        ("user", None),
    ]
    assert status.state is TurnState.INTERRUPTED
    assert [message["content"] for message in llm.requests[-1].messages] == ["second"]


async def test_a_reply_that_cannot_be_stored_is_told_and_stored_later(
    storage: RefusingStorage, llm: ScriptedProvider
) -> None:
    """Scenario row 37."""
    go_on = asyncio.Event()
    llm.say(["Once upon a time", go_on], "Hello")
    async with engine(storage, llm) as turns:
        turn = await turns.start(ask("A story"))
        storage.refuses = True
        go_on.set()
        ended = await turn.ended()
        storage.refuses = False
        after = await turns.start(ask("Hi", conversation_id=str(turn.conversation_id)))
        await after.ended()
    conversation = await storage.read(turn.conversation_id)

    assert (ended.state, ended.error and ended.error["code"]) == (TurnState.INCOMPLETE, "storage_unavailable")
    assert ended.message is None
    assert contents(conversation) == ["A story", "Once upon a time", "Hi", "Hello"]
    assert conversation.messages[1].finish_reason == "incomplete"
    assert await storage.list_records("turns") == []


async def test_what_cannot_be_stored_refuses_the_next_turn(storage: RefusingStorage, llm: ScriptedProvider) -> None:
    go_on = asyncio.Event()
    llm.say([go_on])
    async with engine(storage, llm) as turns:
        turn = await turns.start(ask("A story"))
        storage.refuses = True
        go_on.set()
        await turn.ended()
        with pytest.raises(StorageUnavailable):
            await turns.start(ask("Hi", conversation_id=str(turn.conversation_id)))
        storage.refuses = False


async def test_a_message_that_waited_is_stored_when_the_disk_is_back(
    storage: RefusingStorage, llm: ScriptedProvider
) -> None:
    """Scenario row 37; the same key finds the same message."""
    go_on = asyncio.Event()
    llm.say([go_on], "Hello")
    async with engine(storage, llm) as turns:
        running = await turns.start(ask("A story"))
        asking = ask("Hi", conversation_id=str(running.conversation_id))
        waiting = await turns.start(asking, idempotency_key="k")
        storage.refuses = True
        go_on.set()
        ended = await waiting.ended()
        storage.refuses = False
        again = await turns.start(asking, idempotency_key="k")
        await again.ended()
    conversation = await storage.read(running.conversation_id)

    assert (ended.state, ended.error and ended.error["code"]) == (TurnState.FAILED, "storage_unavailable")
    assert again.user_message_id == waiting.user_message_id
    assert [m.content for m in conversation.messages if m.role == "user"] == ["A story", "Hi"]
    assert contents(conversation)[-1] == "Hello"


async def test_what_was_refused_is_stored_without_being_asked_for(
    storage: RefusingStorage, llm: ScriptedProvider
) -> None:
    go_on = asyncio.Event()
    llm.say(["Once", go_on])
    async with engine(storage, llm) as turns:
        turn = await turns.start(ask("A story"))
        storage.refuses = True
        go_on.set()
        await turn.ended()
        storage.refuses = False
        async with asyncio.timeout(60):
            await storage.appended.wait()
    conversation = await storage.read(turn.conversation_id)

    assert contents(conversation) == ["A story", "Once"]


async def test_a_record_that_stayed_behind_stores_nothing_twice(
    storage: RefusingStorage, llm: ScriptedProvider
) -> None:
    """Scenario row 21."""
    storage.keeps_records = True
    async with engine(storage, llm) as turns:
        llm.say(["Once ", asyncio.Event()])
        running = await turns.start(ask("A story"))
        waiting = await turns.start(ask("waits", conversation_id=str(running.conversation_id)))
        async with aclosing(running.follow(after=0)) as batches:
            await anext(batches)  # it has said something
        await turns.cancel(running.turn_id)
        await waiting.ended()
        filling = [a_message(f"later {number}") for number in range(300)]
        await storage.append(running.conversation_id, filling, expected_count=4, updated_at=filling[-1].timestamp)
    left = await storage.list_records("turns")
    before = await storage.read(running.conversation_id)
    storage.keeps_records = False
    conversation = await recovered(storage, llm, running.conversation_id)

    assert str(waiting.turn_id) in left
    assert conversation == before


async def test_a_deleted_conversation_does_not_come_back(storage: RefusingStorage, llm: ScriptedProvider) -> None:
    llm.say([asyncio.Event()])
    async with engine(storage, llm) as turns:
        running = await turns.start(ask("A story"))
        await turns.start(ask("waits", conversation_id=str(running.conversation_id)))
        await delete(turns, storage, running.conversation_id)
        crashed = deepcopy(storage)
    async with engine(crashed, llm, recovers=True):
        pass

    with pytest.raises(ConversationNotFound):
        await crashed.read(running.conversation_id)


async def test_a_conversation_is_not_deleted_while_it_could_come_back(
    storage: RefusingStorage, llm: ScriptedProvider
) -> None:
    llm.say([asyncio.Event()])
    async with engine(storage, llm) as turns:
        running = await turns.start(ask("A story"))
        await turns.start(ask("waits", conversation_id=str(running.conversation_id)))
        storage.keeps_records = True
        with pytest.raises(StorageUnavailable):
            await delete(turns, storage, running.conversation_id)
        storage.keeps_records = False
        await delete(turns, storage, running.conversation_id)

    assert await storage.list_records("turns") == []


async def test_a_recovered_message_goes_to_no_other_users_conversation(
    storage: RefusingStorage, llm: ScriptedProvider
) -> None:
    llm.say([asyncio.Event()])
    conversation_id, mine, other = uuid4(), str(uuid4()), uuid4()
    async with engine(storage, llm) as turns:
        await turns.start(ask("mine", conversation_id=str(conversation_id), user_id=mine))
        await turns.start(ask("waits", conversation_id=str(conversation_id), user_id=mine))
        crashed = deepcopy(storage)
    theirs = (await crashed.read(conversation_id)).model_copy(update={"user_id": other})
    await crashed.put(theirs)

    assert await recovered(crashed, llm, conversation_id) == theirs


async def test_a_retried_turn_that_was_interrupted_can_be_retried(
    storage: RefusingStorage, llm: ScriptedProvider
) -> None:
    llm.say([asyncio.Event()], "Hello")
    async with engine(storage, llm) as turns:
        turn = await turns.start(ask("Hi"))
        crashed = deepcopy(storage)
    async with engine(crashed, llm, recovers=True) as turns:
        again = await turns.retry(turn.turn_id, TurnOptions())
        await again.ended()

    assert contents(await crashed.read(turn.conversation_id))[-1] == "Hello"


class UnsureStorage(InMemoryStorage):
    """Stores a conversation and says that it could not, as a disk may that fails at the last step."""

    is_unsure = True

    async def create(self, conversation: Conversation) -> str:
        revision = await super().create(conversation)
        if self.is_unsure:
            raise StorageUnavailable("the disk failed")
        return revision

    async def find_turn(self, turn_id: UUID) -> UUID | None:
        """Know only what was stored for sure."""
        return None if self.is_unsure else await super().find_turn(turn_id)


async def test_a_message_that_was_stored_after_all_is_found_by_its_key(llm: ScriptedProvider) -> None:
    """Scenario row 18."""
    storage, conversation_id = UnsureStorage(), uuid4()
    asking = ask("Hi", conversation_id=str(conversation_id))
    async with engine(storage, llm) as turns:
        with pytest.raises(StorageUnavailable):
            await turns.start(asking, idempotency_key="k")
        turn = await turns.start(asking, idempotency_key="k")
        await turn.ended()
    messages = (await storage.read(conversation_id)).messages

    assert [message.role for message in messages] == ["user", "assistant"]
    assert messages[0].id == turn.user_message_id


async def test_a_storage_that_is_away_at_the_start_keeps_turns_waiting_and_no_longer(llm: ScriptedProvider) -> None:
    storage = InMemoryObjects()
    storage.is_down = True
    request = ask("Hello!")
    async with engine(storage, llm, recovers=True) as turns:
        with pytest.raises(StorageUnavailable, match="could not be read since the start"):
            await turns.start(request)
        storage.is_down = False
        async with asyncio.timeout(60):
            while (live := await started(turns, request)) is None:  # noqa: ASYNC110  it happens in this loop
                await asyncio.sleep(0)

        assert (await live.ended()).state is TurnState.COMPLETED


async def started(turns: TurnEngine, request: TurnRequest) -> LiveTurn | None:
    try:
        return await turns.start(request)
    except StorageUnavailable:
        return None
