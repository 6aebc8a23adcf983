"""What lore remembers of a branch: the same whether it was kept, is loaded again, or is made again from the root."""

import json
from collections.abc import AsyncGenerator
from uuid import UUID

import pytest

from idolchat_characters.books import books_of
from idolchat_characters.library import CharacterRecord, library_of
from idolchat_characters.library.access import OPERATOR
from idolchat_characters.prompt import CharacterSource
from idolchat_characters.scanning.branch_states import MAX_STATES, NAMESPACE
from idolchat_core import Conversation, Message, PromptTurn
from idolchat_core.testing import InMemoryStorage, a_conversation, a_message, a_prompt_turn

KEPT = {"keys": ["oath"], "content": "@@keep_activate_after_match\nKept.", "id": 1}
STICKY = {"uid": 0, "key": ["moon"], "content": "Sticky.", "sticky": 5, "cooldown": 3}


class CountingStorage(InMemoryStorage):
    """Counts how often a whole conversation was read."""

    reads = 0

    async def read(self, conversation_id: UUID) -> Conversation:
        self.reads += 1
        return await super().read(conversation_id)


@pytest.fixture
def storage() -> CountingStorage:
    return CountingStorage()


@pytest.fixture
async def mika(storage: CountingStorage) -> CharacterRecord:
    fields = {"name": "Mika", "visibility": "public", "character_book": {"entries": [KEPT]}}
    await books_of(storage).add(json.dumps({"entries": {"0": STICKY}}).encode(), scope="server")
    return await library_of(storage).create_from(fields, OPERATOR)


@pytest.fixture
async def source(storage: CountingStorage) -> AsyncGenerator[CharacterSource]:
    source = CharacterSource(storage)
    yield source
    await source.close()


def conversation(mika: CharacterRecord, texts: list[str]) -> Conversation:
    """A conversation of these messages, the user's first."""
    messages = tuple(a_message(text, role="assistant" if at % 2 else "user") for at, text in enumerate(texts))
    return a_conversation().model_copy(update={"messages": messages, "character_id": mika.id})


def turn(whole: Conversation, count: int, *, loaded: int | None = None) -> PromptTurn:
    """The turn that answers the ``count``th message, with the newest ``loaded`` of them in memory."""
    made = a_prompt_turn(whole.model_copy(update={"messages": whole.messages[:count]}))
    return made if loaded is None else made._replace(history=made.history[-loaded:])


async def lore(source: CharacterSource, of: PromptTurn) -> list[object]:
    return [part.content for part in await source.parts(of) if part.key.startswith("lore/")]


async def lore_in_the_end(source: CharacterSource, of: PromptTurn, *, wanted: list[object]) -> list[object]:
    """Ask until it is what is wanted: a turn of a busy machine does not wait for a branch to be replayed."""
    found = await lore(source, of)
    for _ in range(50):
        if found == wanted:
            break
        found = await lore(source, of)
    return found


TEXTS = ["The oath and the moon!", "Yes.", *["Go on.", "And on."] * 20, "So?"]


async def test_it_comes_out_the_same_kept_loaded_again_and_made_again(
    storage: CountingStorage, mika: CharacterRecord, source: CharacterSource
) -> None:
    whole = conversation(mika, TEXTS)
    await storage.create(whole)
    seen = []
    for count in range(1, len(TEXTS) + 1, 2):
        kept = await lore(source, turn(whole, count, loaded=5))
        loaded = CharacterSource(storage)
        again = await lore_in_the_end(loaded, turn(whole, count, loaded=5), wanted=kept)
        await loaded.close()
        await storage.delete_record(NAMESPACE, str(whole.id))
        replayed = CharacterSource(storage)
        anew = await lore_in_the_end(replayed, turn(whole, count, loaded=5), wanted=kept)
        await replayed.close()
        assert kept == again == anew
        seen.append(kept)

    assert seen[:4] == [["Sticky.", "Kept."], ["Sticky.", "Kept."], ["Sticky.", "Kept."], ["Kept."]]
    assert seen[-1] == ["Kept."]


async def test_a_turn_extends_the_state_of_the_one_before_and_reads_no_conversation(
    storage: CountingStorage, mika: CharacterRecord, source: CharacterSource
) -> None:
    whole = conversation(mika, TEXTS)
    await storage.create(whole)
    for count in range(1, len(TEXTS) + 1, 2):
        await lore(source, turn(whole, count, loaded=3))
    restarted = CharacterSource(storage)
    await lore(restarted, turn(whole, len(TEXTS), loaded=3))
    await restarted.close()

    assert storage.reads == 0


async def test_what_is_kept_is_bounded_and_in_no_document(
    storage: CountingStorage, mika: CharacterRecord, source: CharacterSource
) -> None:
    whole = conversation(mika, TEXTS * 2)
    await storage.create(whole)
    for count in range(1, len(TEXTS) * 2, 2):
        await lore(source, turn(whole, count))
    kept = await storage.get_record(NAMESPACE, str(whole.id))

    assert kept is not None
    assert kept.count(b'"messages"') == MAX_STATES
    assert await storage.read(whole.id) == whole


async def test_a_sibling_knows_nothing_of_what_happened_beside_it(
    storage: CountingStorage, mika: CharacterRecord, source: CharacterSource
) -> None:
    whole = conversation(mika, ["Hi", "Hello", "The oath!", "Sworn."])
    edited = Message(**{**a_message("No.").model_dump(exclude_unset=True), "parent_id": whole.messages[1].id})
    branched = whole.model_copy(update={"messages": (*whole.messages, edited)})
    await storage.create(branched)
    await lore(source, turn(whole, 1))
    swear = await lore(source, turn(whole, 3))
    beside = await lore(source, a_prompt_turn(branched))

    assert (swear, beside) == (["Kept."], [])


async def test_a_book_without_memory_keeps_nothing(storage: CountingStorage, source: CharacterSource) -> None:
    fields = {"name": "Ren", "visibility": "public", "character_book": {"entries": [{"keys": ["hi"], "content": "x"}]}}
    ren = await library_of(storage).create_from(fields, OPERATOR)
    whole = conversation(ren, ["hi"])
    await storage.create(whole)

    assert await lore(source, turn(whole, 1)) == ["x"]
    assert await storage.list_records(NAMESPACE) == []


async def test_what_is_kept_of_a_conversation_goes_with_it(
    storage: CountingStorage, mika: CharacterRecord, source: CharacterSource
) -> None:
    gone, stays = conversation(mika, ["The oath!"]), conversation(mika, ["The oath!"])
    for one in (gone, stays):
        await storage.create(one)
        await books_of(storage).add(b'{"entries": []}', scope="conversation", conversation_id=one.id)
        await lore(source, turn(one, 1))
    await storage.delete(gone.id)
    count = await source.upkeep(storage).remove_what_is_left()

    assert count == 1
    assert await storage.list_records(NAMESPACE) == [str(stays.id)]
    assert [book.conversation_id for book in await books_of(storage).list("nobody")] == [stays.id]
    assert len(await storage.list_records("lorebooks")) == 2


async def test_a_state_that_cannot_be_read_is_made_again(
    storage: CountingStorage, mika: CharacterRecord, source: CharacterSource, caplog: pytest.LogCaptureFixture
) -> None:
    whole = conversation(mika, TEXTS)
    await storage.create(whole)
    await storage.put_record(NAMESPACE, str(whole.id), b"torn")

    of = turn(whole, len(TEXTS), loaded=3)
    assert await lore_in_the_end(source, of, wanted=["Kept."]) == ["Kept."]
    assert "made again" in caplog.text
