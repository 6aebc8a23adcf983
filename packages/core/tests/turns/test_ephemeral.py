"""Answers that are stored nowhere: they are paid for, can be stopped, and leave nothing behind."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import pytest

from idolchat_core import Delta, PromptPart, PromptSource, PromptTurn, Slot
from idolchat_core.errors import ProviderUnavailable, ShuttingDown
from idolchat_core.events.events import TurnState
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.ephemeral import EphemeralRequest
from idolchat_core.turns.request import NewMessage


class Card(PromptSource):
    name = "card"

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        return [PromptPart(self.name, "text", f"You are {turn.character_id}", Slot.CHARACTER)]


@pytest.fixture
def llm() -> ScriptedProvider:
    return ScriptedProvider("A title")


@pytest.fixture
async def turns(storage: InMemoryStorage, llm: ScriptedProvider) -> AsyncGenerator[TurnEngine]:
    settings = CoreSettings(shutdown_grace_s=0)
    async with TurnEngine(storage, llm, settings=settings, prompt_sources=[Card()]) as opened:
        yield opened


def asking(*messages: tuple[str, str], **more: Any) -> EphemeralRequest:
    said = tuple(NewMessage.model_validate({"role": role, "content": content}) for role, content in messages)
    return EphemeralRequest(messages=said, purpose="background", **more)


async def test_it_is_answered_in_character_and_stored_nowhere(
    turns: TurnEngine, storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    character_id = uuid4()

    turn = await turns.answer_unstored(asking(("user", "Name this"), character_id=character_id))
    ended = await turn.ended()

    assert ended.message is not None
    assert (ended.state, ended.message.content) == (TurnState.COMPLETED, "A title")
    assert [m["content"] for m in llm.requests[0].messages] == [f"You are {character_id}", "Name this"]
    assert not await storage.list_ids()


async def test_plain_messages_reach_the_model_as_they_are(turns: TurnEngine, llm: ScriptedProvider) -> None:
    said = [("system", "Be brief"), ("user", "Hi"), ("assistant", "Yes?"), ("system", "Now"), ("user", "Go")]

    await (await turns.answer_unstored(asking(*said, is_plain=True))).ended()

    assert [(m["role"], m["content"]) for m in llm.requests[0].messages] == said


async def test_a_text_of_the_assistant_at_the_end_is_continued(turns: TurnEngine, llm: ScriptedProvider) -> None:
    turn = await turns.answer_unstored(asking(("user", "Tell"), ("assistant", "Once")))
    ended = await turn.ended()

    assert ended.message is not None
    assert ended.message.content == "OnceA title"
    assert llm.requests[0].messages[-1] == {"role": "assistant", "content": "Once"}


async def test_the_ledger_says_what_it_was_for(storage: InMemoryStorage, llm: ScriptedProvider) -> None:
    async with TurnEngine(storage, llm, settings=CoreSettings()) as turns:
        turn = await turns.answer_unstored(asking(("user", "Name this")))
        assert await storage.list_logs("spending")  # before the model is asked
        await turn.ended()

    (day,) = await storage.list_logs("spending")
    lines = [json.loads(line) for line in (await storage.read_log("spending", day)).splitlines()]
    assert {line["purpose"] for line in lines if "purpose" in line} == {"background"}
    assert any(line.get("outcome") == "completed" for line in lines)


async def test_it_stops_when_its_reader_leaves(turns: TurnEngine, llm: ScriptedProvider) -> None:
    endless = ScriptedProvider()
    endless.say([Delta("and "), asyncio.Event()])
    async with TurnEngine(InMemoryStorage(), endless, settings=CoreSettings(shutdown_grace_s=0)) as other:
        turn = await other.answer_unstored(asking(("user", "Go on")))
        async with aclosing(turn.follow()) as batches:
            async for _, events in batches:
                if any(isinstance(event, Delta) for event in events):
                    break

        await endless.wait_for_replies(0)

        assert turn.state is TurnState.CANCELLED


async def test_what_the_provider_says_against_it_ends_it(turns: TurnEngine, llm: ScriptedProvider) -> None:
    failing = ScriptedProvider([ProviderUnavailable("away")])
    async with TurnEngine(InMemoryStorage(), failing, settings=CoreSettings()) as other:
        ended = await (await other.answer_unstored(asking(("user", "Hi")))).ended()

    assert ended.error is not None
    assert (ended.state, ended.error["code"]) == (TurnState.FAILED, "provider_unavailable")


async def test_a_server_that_stops_ends_it(storage: InMemoryStorage) -> None:
    endless = ScriptedProvider([Delta("and "), asyncio.Event()])
    async with TurnEngine(storage, endless, settings=CoreSettings(shutdown_grace_s=0)) as turns:
        turn = await turns.answer_unstored(asking(("user", "Go on")))
        await endless.wait_for_replies(1)

    assert turn.state is TurnState.INCOMPLETE
    with pytest.raises(ShuttingDown):
        await turns.answer_unstored(asking(("user", "Again")))
