"""One message rewritten or deleted, over a real small storage and a provider that says what it is told."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import pytest

from idolchat_core import InvalidRequest, Message
from idolchat_core.conversations.branches import active_branch
from idolchat_core.conversations.messages import rewritable, rewrite
from idolchat_core.errors import ConversationBusy
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import NewMessage, TurnOptions, TurnRequest


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


def sent(llm: ScriptedProvider) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in llm.requests[-1].messages]


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
