"""Facts drawn in the background: each once, whatever crashes, and only while that is wanted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from idolchat_core import (
    BackgroundCompletions,
    CompletionRequest,
    Conversation,
    Delta,
    Finished,
    Message,
    StorageConflict,
    StorageUnavailable,
    new_id,
    utc_now,
)
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_memory.facts.extraction import FactsExtraction
from idolchat_memory.notes import NoteStore
from idolchat_memory.service import Memory, open_memory
from idolchat_memory.settings import MemorySettings

ANA, YUI = str(new_id()), new_id()


class Failing(InMemoryStorage):
    """Its writes of records fail from the one on that is chosen."""

    writes_left = 10**9

    async def put_record(self, namespace: str, name: str, value: bytes, **how: Any) -> str:
        if namespace in ("facts", "notes", "note-citations"):
            if not self.writes_left:
                raise StorageUnavailable("the power is gone")
            self.writes_left -= 1
        return await super().put_record(namespace, name, value, **how)


class Provider(ScriptedProvider):
    """Something happens while it answers."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Finished]:
        if self.meanwhile is not None:
            await self.meanwhile()
        async for piece in super().stream(request):
            yield piece


@pytest.fixture
def storage() -> Failing:
    return Failing()


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def memory(storage: Failing, tmp_path: Path) -> AsyncGenerator[Memory]:
    settings = MemorySettings(data_dir=tmp_path, semantic="off", facts=True)
    async with open_memory(settings, storage) as memory:
        yield memory


@pytest.fixture
async def extraction(memory: Memory, storage: Failing, provider: Provider) -> AsyncGenerator[FactsExtraction]:
    background = BackgroundCompletions()
    settings = CoreSettings(shutdown_grace_s=0)
    async with TurnEngine(storage, provider, settings=settings, background=background):
        yield FactsExtraction(memory, NoteStore(storage), background)


async def said(storage: Failing, *texts: str) -> UUID:
    """Store a conversation, the user's messages each answered."""
    messages = [
        Message(id=new_id(), role=role, content=text if role == "user" else "Oh, I love steak!", timestamp=utc_now())
        for text in texts
        for role in ("user", "assistant")
    ]
    now = utc_now()
    conversation = Conversation(
        id=new_id(), created_at=now, updated_at=now, messages=tuple(messages), user_id=UUID(ANA), character_id=YUI
    )
    await storage.create(conversation)
    return conversation.id


def answer(*facts: tuple[int, str, str], about: str = "") -> str:
    claims = [{"message": number, "quote": quote, "fact": fact, "about": about} for number, quote, fact in facts]
    return json.dumps({"facts": claims})


async def texts(storage: Failing) -> list[str]:
    return [note.text for note in await NoteStore(storage).of_user(ANA)]


TEA = answer((1, "I love tea", "The user loves tea."))


async def test_a_fact_becomes_a_note_with_its_message_and_the_words(
    extraction: FactsExtraction, storage: Failing, provider: Provider
) -> None:
    conversation_id = await said(storage, "I love tea")
    provider.say(TEA)
    await extraction.look_through(conversation_id)
    [note] = await NoteStore(storage).of_user(ANA)
    [source] = note.sources

    assert (note.text, note.written_by, note.character_id) == ("The user loves tea.", "model", str(YUI))
    assert (source.conversation_id, source.quote) == (conversation_id, "I love tea")


async def test_only_the_users_own_messages_are_shown_to_the_model(
    extraction: FactsExtraction, storage: Failing, provider: Provider
) -> None:
    await extraction.look_through(await said(storage, "I love tea", "I have a dog"))
    asked = provider.requests[-1].messages[1]["content"]

    assert asked == "[1] I love tea\n\n[2] I have a dog"


async def test_what_was_looked_through_is_not_shown_again(
    extraction: FactsExtraction, storage: Failing, provider: Provider
) -> None:
    conversation_id = await said(storage, "I love tea")
    provider.say(TEA)
    await extraction.look_through(conversation_id)
    await extraction.look_through(conversation_id)

    assert len(provider.requests) == 1


async def test_many_messages_are_looked_through_call_by_call(
    extraction: FactsExtraction, storage: Failing, provider: Provider
) -> None:
    conversation_id = await said(storage, *(f"Thing {number}" for number in range(45)))
    rounds = 1
    while await extraction.look_through(conversation_id):
        rounds += 1

    assert rounds == len(provider.requests) == 3


@pytest.mark.parametrize("writes", range(6))
async def test_a_crash_at_any_write_loses_one_call_at_most_and_doubles_nothing(
    extraction: FactsExtraction, storage: Failing, provider: Provider, writes: int
) -> None:
    conversation_id = await said(storage, "I love tea, and I have a dog")
    first = answer((1, "I love tea", "The user loves tea."), (1, "I have a dog", "The user has a dog."))
    again = answer((1, "I love tea", "The user is a lover of tea."), (1, "I have a dog", "The user owns a dog."))
    provider.say(first, again)
    storage.writes_left = writes
    try:
        await extraction.look_through(conversation_id)
    except StorageUnavailable:
        storage.writes_left = 10**9
        await extraction.look_through(conversation_id)

    assert len(await texts(storage)) == 2
    assert len(provider.requests) <= 2


async def test_of_two_servers_that_look_through_the_same_one_makes_notes(
    extraction: FactsExtraction, storage: Failing, provider: Provider
) -> None:
    conversation_id = await said(storage, "I love tea")
    provider.say(TEA, answer((1, "I love tea", "The user is fond of tea, which they love.")))
    results = await asyncio.gather(
        extraction.look_through(conversation_id), extraction.look_through(conversation_id), return_exceptions=True
    )

    assert sum(isinstance(result, StorageConflict) for result in results) == 1
    assert await texts(storage) == ["The user loves tea."]


async def test_a_user_who_chose_no_recall_is_not_looked_through_nor_later(
    extraction: FactsExtraction, storage: Failing, provider: Provider, memory: Memory
) -> None:
    conversation_id = await said(storage, "I love tea")
    await memory.choices.change(ANA, recall=False)
    await extraction.look_through(conversation_id)
    await memory.choices.change(ANA, recall=True)
    await extraction.look_through(conversation_id)

    assert provider.requests == []


async def test_what_is_deleted_while_the_model_is_asked_is_no_ground(
    extraction: FactsExtraction, storage: Failing, provider: Provider
) -> None:
    conversation_id = await said(storage, "I love tea")

    async def delete() -> None:
        await storage.delete(conversation_id)

    provider.say(TEA)
    provider.meanwhile = delete
    await extraction.look_through(conversation_id)

    assert await texts(storage) == []
