"""One message rewritten or deleted, over a real small storage and a provider that says what it is told."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from one_engine import sent

from idolchat_core import InvalidRequest, Message
from idolchat_core.conversations.branches import active_branch, copied
from idolchat_core.conversations.messages import delete_message, erase_message, rewritable, rewrite
from idolchat_core.coordination.contract import UnfinishedTurn
from idolchat_core.errors import ConversationBusy, IdempotencyMismatch, TurnExpired, TurnNotRetryable
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import NewMessage, TurnOptions, TurnRequest


async def ask(turns: TurnEngine, *texts: str, conversation_id: UUID | None = None) -> UUID:
    """Have texts answered with themselves, one after another, in one conversation."""
    for text in texts:
        fields: dict[str, Any] = {"messages": [{"role": "user", "content": text}], "conversation_id": conversation_id}
        turn = await turns.start(TurnRequest.model_validate(fields))
        await turn.ended()
        conversation_id = turn.conversation_id
    assert conversation_id is not None
    return conversation_id


async def messages_of(storage: InMemoryStorage, conversation_id: UUID) -> tuple[Message, ...]:
    return (await storage.read(conversation_id)).messages


async def branch(storage: InMemoryStorage, conversation_id: UUID) -> list[tuple[str, Any]]:
    return [(m.role, m.content) for m in active_branch(await storage.read(conversation_id))]


class TestRewriting:
    async def test_a_rewritten_message_is_the_head_and_the_old_branch_stays(
        self, turns: TurnEngine, storage: InMemoryStorage
    ) -> None:
        conversation_id = await ask(turns, "Hi", "Sing")
        _, reply, *_ = before = await messages_of(storage, conversation_id)
        new = NewMessage(role="assistant", content="Hello, dear!")
        message = await rewrite(turns, storage, conversation_id, reply.id, new)

        assert await messages_of(storage, conversation_id) == (*before, message)
        assert await branch(storage, conversation_id) == [("user", "Hi"), ("assistant", "Hello, dear!")]
        assert (message.origin, message.turn_id) == ("client", None)

    async def test_a_rewritten_message_goes_on_from_there(
        self, turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
    ) -> None:
        conversation_id = await ask(turns, "Hi", "Sing")
        first = (await messages_of(storage, conversation_id))[0]
        await rewrite(turns, storage, conversation_id, first.id, NewMessage(role="user", content="Hello"))
        await (await turns.regenerate(conversation_id, TurnOptions())).ended()

        assert sent(llm) == [("user", "Hello")]
        assert await branch(storage, conversation_id) == [("user", "Hello"), ("assistant", "Hello")]

    async def test_what_is_unknown_or_a_tools_or_busy_is_not_rewritten(
        self, turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
    ) -> None:
        conversation_id = await ask(turns, "Hi")
        with pytest.raises(InvalidRequest, match="no message"):
            await rewritable(storage, conversation_id, uuid4())
        first = (await messages_of(storage, conversation_id))[0]
        result = first.model_copy(update={"id": uuid4(), "role": "tool", "tool_call_id": "1"})
        await storage.append(conversation_id, [result], expected_count=2, updated_at=result.timestamp)
        with pytest.raises(InvalidRequest, match="role tool"):
            await rewritable(storage, conversation_id, result.id)
        turns.forget(conversation_id)
        request = TurnRequest.model_validate(
            {"messages": [{"role": "user", "content": "And?"}], "conversation_id": conversation_id}
        )
        await turns.start(request)

        with pytest.raises(ConversationBusy):
            await rewrite(turns, storage, conversation_id, first.id, NewMessage(role="user", content="Hello"))


async def delete(turns: TurnEngine, storage: InMemoryStorage, conversation_id: UUID, position: int) -> Message:
    message = (await messages_of(storage, conversation_id))[position]
    await delete_message(turns, storage, conversation_id, message.id)
    return message


class TestDeleting:
    async def test_a_deleted_message_keeps_its_place_and_nothing_of_what_it_said(
        self, turns: TurnEngine, storage: InMemoryStorage
    ) -> None:
        conversation_id = await ask(turns, "Hi", "Sing")
        gone = await delete(turns, storage, conversation_id, 2)
        messages = await messages_of(storage, conversation_id)
        left = messages[2].model_dump(exclude_unset=True)

        assert left.keys() == {"id", "role", "content", "timestamp", "turn_id", "deleted_at"}
        assert (left["id"], left["role"], left["content"]) == (gone.id, "user", None)
        assert [message.content for message in messages] == ["Hi", "Hi", None, "Sing"]

    async def test_a_deleted_key_is_kept_nowhere_and_not_used_again(
        self, turns: TurnEngine, storage: InMemoryStorage
    ) -> None:
        request = TurnRequest.model_validate({"messages": [{"role": "user", "content": "Hi"}]})
        turn = await turns.start(request, idempotency_key="secret-key")
        await turn.ended()
        for position in (0, 1):
            await delete(turns, storage, turn.conversation_id, position)

        assert "secret-key" not in (await storage.read_document(turn.conversation_id)).decode()
        with pytest.raises(IdempotencyMismatch, match="deleted"):
            await turns.start(request, idempotency_key="secret-key")

    @pytest.mark.parametrize(
        ("position", "expected"),
        [
            (0, [("assistant", "Hi"), ("user", "Sing"), ("assistant", "Sing"), ("user", "Again")]),
            (1, [("user", "Sing"), ("assistant", "Sing"), ("user", "Again")]),
            (2, [("user", "Hi"), ("assistant", "Hi\n\nSing"), ("user", "Again")]),
            (3, [("user", "Hi"), ("assistant", "Hi"), ("user", "Again")]),
        ],
    )
    @pytest.mark.parametrize("restarts", [False, True])
    async def test_a_deleted_message_enters_no_prompt(
        self,
        turns: TurnEngine,
        storage: InMemoryStorage,
        llm: ScriptedProvider,
        position: int,
        expected: list[tuple[str, str]],
        restarts: bool,
    ) -> None:
        conversation_id = await ask(turns, "Hi", "Sing")
        await delete(turns, storage, conversation_id, position)
        if restarts:
            async with TurnEngine(storage, llm, settings=CoreSettings()) as others:
                await ask(others, "Again", conversation_id=conversation_id)
        else:
            await ask(turns, "Again", conversation_id=conversation_id)

        assert sent(llm) == expected

    async def test_what_follows_a_deleted_message_stays_on_its_branch(
        self, turns: TurnEngine, storage: InMemoryStorage
    ) -> None:
        conversation_id = await ask(turns, "Hi")
        first, reply = await messages_of(storage, conversation_id)
        await (await turns.regenerate(conversation_id, TurnOptions())).ended()
        await (await turns.continue_reply(conversation_id, reply.id, TurnOptions())).ended()
        before = active_branch(await storage.read(conversation_id))
        for position in (0, 3):
            await delete(turns, storage, conversation_id, position)
        after = active_branch(await storage.read(conversation_id))

        assert [message.id for message in after] == [message.id for message in before]
        assert [message.content for message in after] == [None, None]
        assert after[1].parent_id == first.id

    async def test_a_deleted_message_is_not_answered_nor_continued_nor_forked(
        self, turns: TurnEngine, storage: InMemoryStorage
    ) -> None:
        conversation_id = await ask(turns, "Hi")
        question, reply = await messages_of(storage, conversation_id)
        await delete(turns, storage, conversation_id, 1)
        with pytest.raises(TurnNotRetryable, match="deleted"):
            await turns.continue_reply(conversation_id, reply.id, TurnOptions())
        await delete(turns, storage, conversation_id, 0)

        with pytest.raises(TurnNotRetryable, match="deleted"):
            await turns.regenerate(conversation_id, TurnOptions())
        assert copied(await storage.read(conversation_id)).messages == ()
        assert question.id == (await messages_of(storage, conversation_id))[0].id

    async def test_events_that_hold_a_deleted_text_are_gone(self, turns: TurnEngine, storage: InMemoryStorage) -> None:
        request = TurnRequest.model_validate({"messages": [{"role": "user", "content": "Hi"}]})
        turn = await turns.start(request)
        await turn.ended()
        await delete(turns, storage, turn.conversation_id, 1)

        with pytest.raises(TurnExpired):
            await turns.find(turn.turn_id)
        assert (await turns.status(turn.turn_id)).content == ""

    async def test_a_turn_that_began_meanwhile_does_not_bring_the_text_back_into_prompts(
        self, turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
    ) -> None:
        conversation_id = await ask(turns, "Hi")
        released = asyncio.Event()
        llm.say([released, "Yes"])
        fields = {"messages": [{"role": "user", "content": "And?"}], "conversation_id": conversation_id}
        running = await turns.start(TurnRequest.model_validate(fields))
        with pytest.raises(ConversationBusy):
            await delete(turns, storage, conversation_id, 1)
        await erase_message(storage, conversation_id, (await messages_of(storage, conversation_id))[1].id)
        turns.forget(conversation_id)
        released.set()
        await running.ended()
        await ask(turns, "Again", conversation_id=conversation_id)

        assert sent(llm) == [("user", "And?"), ("assistant", "Yes"), ("user", "Again")]

    async def test_what_another_process_deletes_enters_no_prompt(
        self, turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
    ) -> None:
        conversation_id = await ask(turns, "Hi", "Sing")
        await erase_message(storage, conversation_id, (await messages_of(storage, conversation_id))[1].id)
        await ask(turns, "Again", conversation_id=conversation_id)

        assert sent(llm) == [("user", "Sing"), ("assistant", "Sing"), ("user", "Again")]

    async def test_copies_in_records_go_with_the_message(self, turns: TurnEngine, storage: InMemoryStorage) -> None:
        conversation_id = await ask(turns, "Hi")
        _, reply = await messages_of(storage, conversation_id)
        turn = {"turn_id": uuid4(), "conversation_id": conversation_id, "user_message_id": "x", "message_id": reply.id}
        left = UnfinishedTurn.model_validate({**turn, "content": "Hi"}).model_dump_json().encode()
        await storage.put_record("turns", "running.7", left)
        await storage.put_record("set-aside", f"{conversation_id}.20260101t000000.json", b"Hi")
        await storage.put_record("mirror.replaced", f"{conversation_id}.1", b"Hi")
        await storage.put_record("mirror.replaced", f"{uuid4()}.1", b"Hi")
        await delete(turns, storage, conversation_id, 1)

        names = [
            name for space in ("turns", "set-aside", "mirror.replaced") for name in await storage.list_records(space)
        ]
        assert len(names) == 1

    async def test_deleting_twice_and_what_is_unknown(self, turns: TurnEngine, storage: InMemoryStorage) -> None:
        conversation_id = await ask(turns, "Hi")
        await delete(turns, storage, conversation_id, 1)
        before = await messages_of(storage, conversation_id)
        await delete(turns, storage, conversation_id, 1)

        assert await messages_of(storage, conversation_id) == before
        with pytest.raises(InvalidRequest, match="no message"):
            await delete_message(turns, storage, conversation_id, uuid4())
