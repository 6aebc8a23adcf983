"""Clients that send the whole history with each message: only what is new is stored."""

from collections.abc import Sequence

import pytest

from idolchat_core.conversations.messages import delete_message
from idolchat_core.models import Message
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider, a_conversation, a_message
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest


def exchanges(count: int) -> tuple[Message, ...]:
    roles = ("user", "assistant")
    return tuple(a_message(f"word{n}", role=roles[n % 2], after_s=n) for n in range(2 * count))


async def send(engine: TurnEngine, conversation_id: object, known: Sequence[Message], new: str) -> None:
    said = [{"role": one.role, "content": one.content} for one in known]
    body = {"messages": [*said, {"role": "user", "content": new}], "conversation_id": str(conversation_id)}
    await (await engine.start(TurnRequest.model_validate(body))).ended()


@pytest.mark.parametrize("count", [1, 32, 33, 150])
async def test_of_a_history_of_any_length_that_is_sent_whole_the_new_message_is_stored(
    storage: InMemoryStorage, llm: ScriptedProvider, count: int
) -> None:
    llm.say("Yes.", "And more.")
    known = exchanges(count)
    conversation = a_conversation().model_copy(update={"messages": known})
    await storage.create(conversation)
    for new in ("Sing!", "More!"):
        async with TurnEngine(storage, llm, settings=CoreSettings(shutdown_grace_s=0)) as engine:  # that knows nothing
            await send(engine, conversation.id, (await storage.read(conversation.id)).messages, new)

    said = [message.content for message in (await storage.read(conversation.id)).messages]
    assert said == [*(message.content for message in known), "Sing!", "Yes.", "More!", "And more."]


@pytest.mark.parametrize("deleted", range(6))
@pytest.mark.parametrize("count", [3, 40], ids=["short", "long"])
async def test_what_was_deleted_is_not_stored_again_with_the_history_of_a_client_that_has_it(
    storage: InMemoryStorage, llm: ScriptedProvider, deleted: int, count: int
) -> None:
    llm.say("Yes.")
    known = exchanges(count)
    conversation = a_conversation().model_copy(update={"messages": known})
    await storage.create(conversation)
    async with TurnEngine(storage, llm, settings=CoreSettings(shutdown_grace_s=0)) as engine:
        await delete_message(engine, storage, conversation.id, known[-6 + deleted].id)
        await send(engine, conversation.id, known, "Sing!")

    stored = (await storage.read(conversation.id)).messages
    left = [message.content for message in known if message is not known[-6 + deleted]]
    assert [message.content for message in stored if message.deleted_at is None] == [*left, "Sing!", "Yes."]


async def test_a_client_that_has_dropped_what_was_deleted_is_recognised_as_well(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    known = exchanges(3)
    conversation = a_conversation().model_copy(update={"messages": known})
    await storage.create(conversation)
    async with TurnEngine(storage, llm, settings=CoreSettings(shutdown_grace_s=0)) as engine:
        for gone in known[2:4]:
            await delete_message(engine, storage, conversation.id, gone.id)
        await send(engine, conversation.id, [*known[:2], *known[4:]], "Sing!")

    assert len((await storage.read(conversation.id)).messages) == 8


async def test_another_history_than_the_stored_one_is_stored(storage: InMemoryStorage, llm: ScriptedProvider) -> None:
    known = exchanges(40)
    conversation = a_conversation().model_copy(update={"messages": known})
    await storage.create(conversation)
    other = [*known[:-2], known[-2].model_copy(update={"content": "another"}), known[-1]]
    async with TurnEngine(storage, llm, settings=CoreSettings(shutdown_grace_s=0)) as engine:
        await send(engine, conversation.id, other, "Sing!")

    assert len((await storage.read(conversation.id)).messages) == 2 * 80 + 2
