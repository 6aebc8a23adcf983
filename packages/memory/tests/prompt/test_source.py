"""What is recalled in the prompts of a real server, and what is not."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from conftest import Talk

from idolchat_core import (
    MemoryIndex,
    MemoryMessage,
    MemoryScope,
    Page,
    PromptPart,
    PromptSource,
    PromptTurn,
    ScopeReader,
    Storage,
    TextAnalysis,
    new_id,
    read_settings,
)
from idolchat_core.testing import (
    InMemoryStorage,
    PromptSourceConformance,
    a_conversation,
    a_memory,
    a_message,
    a_prompt_turn,
)
from idolchat_memory.prompt import RecallSource
from idolchat_memory.service import open_memory
from idolchat_memory.settings import MemorySettings
from idolchat_memory.sqlite import SqliteMemoryIndex


class TestRecallSource(PromptSourceConformance):
    @pytest.fixture
    async def source(self, storage: Storage, tmp_path: Path) -> AsyncGenerator[PromptSource]:
        settings = read_settings(MemorySettings, data_dir=tmp_path, semantic="off")
        async with open_memory(settings, storage) as memory:
            yield RecallSource(memory)


async def test_what_was_said_in_another_conversation_is_recalled(talk: Talk) -> None:
    await talk.say("My dog is called Biscuit")
    await talk.indexed("dog")

    answer = await talk.say("What is the name of my dog?")

    assert "today, the user said] My dog is called Biscuit" in talk.recalled
    [part] = await talk.explained(answer)
    [quoted] = part["why"]["messages"]
    assert (part["slot"], quoted["matched"], part["included"]) == ("tail", ["dog"], True)


class CountedIndex(SqliteMemoryIndex):
    reads = 0

    async def read[T](self, scope: MemoryScope, work: Callable[[ScopeReader], T]) -> T:
        self.reads += 1
        return await super().read(scope, work)


class CountedStorage(InMemoryStorage):
    """A storage that brings an index of its own."""

    calls = 0

    def __init__(self, index: CountedIndex) -> None:
        super().__init__()
        self._index = index

    def memory_index(self, analysis: TextAnalysis) -> AbstractAsyncContextManager[MemoryIndex]:
        return nullcontext(self._index)

    async def get_record(self, namespace: str, name: str) -> bytes | None:
        self.calls += 1
        return await super().get_record(namespace, name)

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        self.calls += 1
        return await super().read_page(conversation_id, limit=limit, before=before)


async def asked(source: PromptSource, turn: PromptTurn) -> Sequence[PromptPart]:
    """Ask a source as the turn engine does."""
    return () if source.is_silent(turn) else await source.parts(turn)


async def test_of_somebody_of_whom_nothing_is_remembered_nothing_is_asked(tmp_path: Path) -> None:
    index = CountedIndex(tmp_path / "index.sqlite")
    storage = CountedStorage(index)
    stranger, known = (
        a_conversation("What is the name of my dog?").model_copy(update={"user_id": UUID(int=number)})
        for number in (1, 2)
    )
    elsewhere = MemoryScope.model_validate({"user_id": UUID(int=2), "character_id": "another"})
    await index.replace(elsewhere, new_id(), [a_memory("My dog is called Biscuit")], revision="1")
    async with open_memory(read_settings(MemorySettings, data_dir=tmp_path, semantic="off"), storage) as memory:
        source = RecallSource(memory)

        await asked(source, a_prompt_turn(stranger))
        assert (index.reads, storage.calls) == (0, 0)

        await asked(source, a_prompt_turn(known))  # whose choice is looked up, and kept
        await asked(source, a_prompt_turn(known))
        assert (index.reads, storage.calls) == (0, 1)

        talk = known.model_copy(update={"user_id": UUID(int=3)})
        scope = MemoryScope.model_validate({"user_id": UUID(int=3), "character_id": talk.character_id})
        await index.replace(scope, talk.id, [a_memory("What is the name of my dog?")], revision="1")
        await asked(source, a_prompt_turn(talk))  # whose prompt holds all that was ever said
        assert (index.reads, storage.calls) == (0, 1)

        await index.replace(scope, new_id(), [a_memory("My dog is called Biscuit")], revision="1")
        await asked(source, a_prompt_turn(talk))
        assert index.reads == 1
    index.close()


class ToldHere(CountedStorage):
    """Tells revisions on the thread that asks: all are the same."""

    revision = "1"

    def revisions_here(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, str]:
        return dict.fromkeys(conversation_ids, self.revision)


async def test_what_is_told_on_the_thread_that_searches_is_not_asked_again_and_what_has_changed_is_read(
    tmp_path: Path,
) -> None:
    index = CountedIndex(tmp_path / "index.sqlite")
    storage = ToldHere(index)
    talk = a_conversation("What is the name of my dog?").model_copy(update={"user_id": UUID(int=1)})
    scope = MemoryScope.model_validate({"user_id": UUID(int=1), "character_id": talk.character_id})
    await index.replace(scope, new_id(), [a_memory("My dog is called Biscuit")], revision="+1")
    async with open_memory(read_settings(MemorySettings, data_dir=tmp_path, semantic="off"), storage) as memory:
        source = RecallSource(memory)
        [part] = await source.parts(a_prompt_turn(talk))
        before = storage.calls
        storage.revision = "2"

        assert "Biscuit" in str(part.content)
        assert await source.parts(a_prompt_turn(talk)) == ()  # it is not stored any more
        assert (before, storage.calls) == (1, 3)  # the choice; then the revisions and the message
    index.close()


async def test_what_goes_on_is_not_read_where_it_was_indexed_since_it_was_loaded(tmp_path: Path) -> None:
    index = CountedIndex(tmp_path / "index.sqlite")
    storage = CountedStorage(index)
    said = [a_message(text) for text in ("My dog is called Biscuit", "What is the name of my dog?")]
    talk = a_conversation().model_copy(update={"user_id": UUID(int=1), "messages": tuple(said)})
    await storage.create(talk)
    scope = MemoryScope.model_validate({"user_id": UUID(int=1), "character_id": talk.character_id})
    memories = [MemoryMessage(str(said[0].id), 0, "user", "", said[0].timestamp, "My dog is called Biscuit")]
    await index.replace(scope, talk.id, memories, revision="+of before")
    async with open_memory(read_settings(MemorySettings, data_dir=tmp_path, semantic="off"), storage) as memory:
        source, turn = RecallSource(memory), a_prompt_turn(talk)._replace(cut=said[1].id)
        reads, told = list[int](), list[PromptPart]()
        for _ in range(2):
            before = storage.calls
            told += await source.parts(turn)
            reads.append(storage.calls - before)
            memory.agreement.indexed(talk.id, since=monotonic() + 1)

        assert ["Biscuit" in str(part.content) for part in told] == [True, True]
        assert reads == [3, 0]  # the choice, the revision and the message
    index.close()
