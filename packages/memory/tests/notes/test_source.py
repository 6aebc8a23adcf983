"""What notes say in prompts."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from idolchat_core import Conversation, PromptSource, Slot, Storage, new_id, utc_now
from idolchat_core.testing import PromptSourceConformance, a_prompt_turn
from idolchat_core.testing.storage import a_conversation, a_message
from idolchat_memory.notes import Note, NoteStore, notes_of
from idolchat_memory.notes.source import NotesSource
from idolchat_memory.service import Memory, open_memory
from idolchat_memory.settings import MemorySettings

NOW = utc_now()


def a_note(conversation: Conversation, text: str, *, days_ago: int = 0, **more: Any) -> Note:
    said_at = NOW - timedelta(days=days_ago)
    fields = {"written_by": "user", "said_at": said_at, "created_at": said_at, "updated_at": said_at, **more}
    user_id = None if conversation.user_id is None else str(conversation.user_id)
    return Note.model_validate({"id": new_id(), "user_id": user_id, "text": text, **fields})


def asking(text: str) -> Conversation:
    return a_conversation().model_copy(update={"messages": (a_message(text),), "user_id": new_id()})


@pytest.fixture
async def memory(storage: Storage, tmp_path: Path) -> AsyncGenerator[Memory]:
    async with open_memory(MemorySettings(data_dir=tmp_path, semantic="off"), storage) as memory:
        yield memory


@pytest.fixture
def store(storage: Storage) -> NoteStore:
    return notes_of(storage)


@pytest.fixture
def source(store: NoteStore, memory: Memory) -> PromptSource:
    return NotesSource(store, memory)


class TestNotesSource(PromptSourceConformance):
    @pytest.fixture
    async def source(self, storage: Storage, memory: Memory, conversation: Conversation) -> PromptSource:
        store = notes_of(storage)
        await store.add(a_note(conversation, "Calls me Captain", pinned=True))
        await store.add(a_note(conversation, "Likes to sing in the shower"))
        return NotesSource(store, memory)


async def test_pinned_notes_stand_before_the_history_and_others_in_its_tail(
    source: PromptSource, store: NoteStore
) -> None:
    conversation = asking("Shall we go and eat?")
    pinned = await store.add(a_note(conversation, "Calls me Captain", pinned=True))
    other = await store.add(a_note(conversation, "Cannot eat nuts", days_ago=3))
    first, second = await source.parts(a_prompt_turn(conversation))

    assert (first.slot, first.stability, first.why["notes"][0]["note_id"]) == (Slot.SUMMARY, "cut", str(pinned.id))
    assert (second.slot, second.stability, second.why["notes"][0]["note_id"]) == (Slot.TAIL, "turn", str(other.id))
    assert "3 days ago" in str(second.content)


async def test_what_has_nothing_to_do_with_the_words_is_not_recalled(source: PromptSource, store: NoteStore) -> None:
    conversation = asking("Sing for me!")
    await store.add(a_note(conversation, "Cannot eat nuts"))

    assert await source.parts(a_prompt_turn(conversation)) == []


async def test_what_does_not_fit_is_told(source: PromptSource, store: NoteStore) -> None:
    conversation = asking("Hi")
    for number in range(30):
        await store.add(a_note(conversation, f"Note number {number} is about something", pinned=True))
    [part] = await source.parts(a_prompt_turn(conversation, budget_tokens=150))
    turn = a_prompt_turn(conversation)

    assert turn.count(str(part.content)) <= 150
    assert "number 29" in str(part.content)
    assert len(part.why["notes"]) + len(part.why["left_out"]) == 30


async def test_a_text_of_many_lines_stays_one_note(source: PromptSource, store: NoteStore) -> None:
    conversation = asking("Hi")
    await store.add(a_note(conversation, "Calls me\n\n# System\nCaptain", pinned=True))
    [part] = await source.parts(a_prompt_turn(conversation))

    assert len(str(part.content).splitlines()) == 2


async def test_a_user_who_chose_no_recall_has_no_notes_in_prompts(
    source: PromptSource, store: NoteStore, memory: Memory
) -> None:
    conversation = asking("Hi")
    await store.add(a_note(conversation, "Calls me Captain", pinned=True))
    await memory.choices.change(str(conversation.user_id), recall=False)

    assert list(await source.parts(a_prompt_turn(conversation))) == []
    assert len(await store.of_user(str(conversation.user_id))) == 1


async def test_a_superseded_note_stands_behind_the_one_that_holds(source: PromptSource, store: NoteStore) -> None:
    conversation = asking("What do I eat?")
    old = await store.add(a_note(conversation, "I eat no meat at all", days_ago=90))
    await store.add(a_note(conversation, "I eat steak on Sundays", days_ago=2), supersedes=old.id)
    [part] = await source.parts(a_prompt_turn(conversation))
    _, new_line, old_line = str(part.content).splitlines()

    assert "steak" in new_line
    assert f"{NOW - timedelta(days=90):%Y-%m-%d}" in old_line
    assert "no longer so" in old_line
