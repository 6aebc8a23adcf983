"""What every storage must do: a pytest class to run by overriding its fixtures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from idolchat_core import document
from idolchat_core.errors import (
    ConversationExists,
    ConversationNotFound,
    InvalidRequest,
    StorageConflict,
)
from idolchat_core.models import Conversation, ConversationSummary, Message, Usage, new_id
from idolchat_core.storage import Storage

__all__ = ["Reopen", "StorageConformance", "a_conversation", "a_message"]

type Reopen = Callable[[], AbstractAsyncContextManager[Storage]]
"""Opens what the ``storage`` of a test holds once more, as another process or a later start would."""

START = datetime(2025, 6, 1, 12, tzinfo=UTC)
WRITERS = 50

TEXTS = {
    "CJK": "你好我的朋友。今日はいい天気ですね。 안녕하세요",
    "emoji": "🌸 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
    "line ends": "one\ntwo\r\nthree\rfour\n",
    "Unicode line ends": "one\u2028two\u2029three\u0085four\vfive\fsix\x1cseven",
    "NUL and control characters": "a\0b\x01\x1b[31m\x7f",
    "right to left": "שלום עולם مرحبا",
    "combining": "e\u0301 \u0928\u093f",
    "last code points": "\ufeff\uffff\U0010ffff",
    "JSON": '"}\n],"updated_at":"2020-01-01T00:00:00Z"}\\u0000 {"id": "x"},\n',
    "blanks": " \t ",
    "nothing": "",
    "long": "今日は🌸" * 20_000,
}


def a_message(content: str | list[dict[str, Any]] = "Hello!", *, after_s: float = 0, **fields: Any) -> Message:
    """Make a message of the user, said ``after_s`` seconds after noon of 1 June 2025."""
    given = {"id": new_id(), "role": "user", "timestamp": START + timedelta(seconds=after_s), **fields}
    return Message.model_validate({**given, "content": content})


def a_conversation(*texts: str, after_s: float = 0, **fields: Any) -> Conversation:
    """Make a conversation with these messages, last changed ``after_s`` seconds after noon of 1 June 2025."""
    given = {"id": new_id(), "created_at": START, "user_id": uuid4(), "character_id": uuid4(), **fields}
    messages = tuple(a_message(text, after_s=position) for position, text in enumerate(texts))
    updated_at = START + timedelta(seconds=after_s)
    return Conversation.model_validate({"messages": messages, "updated_at": updated_at, **given})


async def _append(storage: Storage, to: Conversation, *messages: Message, expected_count: int | None = None) -> None:
    before = len(to.messages) if expected_count is None else expected_count
    await storage.append(to.id, messages, expected_count=before, updated_at=START + timedelta(hours=1))


async def _append_retrying(storage: Storage, to: UUID, message: Message, *, expected_count: int) -> None:
    while True:
        try:
            await storage.append(to, [message], expected_count=expected_count, updated_at=message.timestamp)
        except StorageConflict as conflict:
            page = await storage.read_page(to, limit=1)
            expected_count = page.total if conflict.actual_count is None else conflict.actual_count
        else:
            return


async def _texts(storage: Storage, conversation_id: UUID) -> list[Any]:
    return [message.content for message in (await storage.read(conversation_id)).messages]


async def _listed(storage: Storage, **filters: Any) -> list[UUID]:
    return [summary.id for summary in (await storage.list(**filters)).data]


@pytest.mark.asyncio
class StorageConformance:
    """The contract of ``Storage``, as tests.

    Override the fixture ``storage``, and ``reopen`` unless ``persistent`` is set to False.
    """

    persistent: ClassVar[bool] = True
    """Whether what is stored is there when the store is opened again."""
    shared: ClassVar[bool] = True
    """Whether the store may be open twice at a time, with appends from both sides."""

    @pytest.fixture
    def storage(self) -> Storage:
        """Give an empty store, open, that is closed after the test."""
        raise NotImplementedError("override the fixture `storage` with one that yields an empty, open store")

    @pytest.fixture
    def reopen(self) -> Reopen:
        """Give a function that opens the store of this test once more."""
        raise NotImplementedError("override the fixture `reopen`, or set `persistent = False` if that is how it is")

    # create

    async def test_a_conversation_comes_back_unchanged(self, storage: Storage) -> None:
        conversation = a_conversation("Hello!", "Hi!", title="First", mood={"joy": [1, 2.5, None, True]})
        await storage.create(conversation)

        assert await storage.read(conversation.id) == conversation

    async def test_a_conversation_without_messages_can_be_stored(self, storage: Storage) -> None:
        conversation = a_conversation(user_id=None, character_id=None)
        await storage.create(conversation)

        assert await storage.read(conversation.id) == conversation

    async def test_an_id_is_taken_once(self, storage: Storage) -> None:
        first = a_conversation("first")
        await storage.create(first)

        with pytest.raises(ConversationExists):
            await storage.create(a_conversation("second", id=first.id))
        assert await storage.read(first.id) == first

    async def test_of_many_who_create_the_same_conversation_one_succeeds(self, storage: Storage) -> None:
        rivals = [a_conversation(str(number), id=UUID(int=7)) for number in range(10)]
        results = await asyncio.gather(*map(storage.create, rivals), return_exceptions=True)
        winners = [rival for rival, result in zip(rivals, results, strict=True) if result is None]

        assert len(winners) == 1
        assert sum(isinstance(result, ConversationExists) for result in results) == 9
        assert await storage.read(UUID(int=7)) == winners[0]

    # append

    async def test_messages_come_back_oldest_first(self, storage: Storage) -> None:
        conversation = a_conversation()
        await storage.create(conversation)
        for number in range(10):
            await _append(storage, conversation, a_message(str(number)), expected_count=number)

        assert await _texts(storage, conversation.id) == [str(number) for number in range(10)]

    async def test_messages_given_together_keep_their_order(self, storage: Storage) -> None:
        conversation = a_conversation("0")
        await storage.create(conversation)
        await _append(storage, conversation, *(a_message(str(number)) for number in range(1, 10)))

        assert await _texts(storage, conversation.id) == [str(number) for number in range(10)]

    async def test_every_field_of_a_message_comes_back(self, storage: Storage) -> None:
        conversation = a_conversation("Hello!")
        reply = a_message(
            "Hi!",
            role="assistant",
            model="some/model",
            finish_reason="stop",
            usage=Usage(input_tokens=12, output_tokens=3, cost=0.000125),
            turn_id=new_id(),
            parent_id=conversation.messages[0].id,
            idempotency_key='"k-1"',
            request_hash="0" * 64,
            tool_calls=[{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            reasoning_details=[{"type": "reasoning.text", "text": "…", "big": 10**30}],
        )
        parts = a_message([{"type": "text", "text": "🌸"}, {"type": "image_url", "image_url": {}}], id="msg_1")
        await storage.create(conversation)
        await _append(storage, conversation, reply, parts)

        assert (await storage.read(conversation.id)).messages[1:] == (reply, parts)

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
    async def test_any_text_comes_back_unchanged(self, storage: Storage, text: str) -> None:
        conversation = a_conversation(text, title=text)
        await storage.create(conversation)
        await _append(storage, conversation, a_message(text, note={"text": [text]}))
        await storage.update(conversation.id, {"subtitle": text}, expected_count=2)

        read = await storage.read(conversation.id)
        assert [message.content for message in read.messages] == [text, text]
        assert read.messages[1].model_extra == {"note": {"text": [text]}}
        assert read.model_extra == {"title": text, "subtitle": text}

    async def test_half_a_surrogate_pair_does_not_lose_the_message(self, storage: Storage) -> None:
        conversation = a_conversation("a\ud83cb")
        await storage.create(conversation)
        await _append(storage, conversation, a_message("\ud83c\udf38"))

        assert await _texts(storage, conversation.id) == ["a\ufffdb", "🌸"]

    async def test_a_message_that_could_not_be_read_again_is_refused(self, storage: Storage) -> None:
        conversation = a_conversation("Hello!")
        deep: list[Any] = []
        for _ in range(300):
            deep = [deep]
        await storage.create(conversation)

        with pytest.raises(InvalidRequest):
            await _append(storage, conversation, a_message("fine"), a_message("deep", x=deep))
        assert await storage.read(conversation.id) == conversation

    async def test_appending_sets_updated_at_and_forgets_the_head(self, storage: Storage) -> None:
        conversation = a_conversation("one", "two", title="kept")
        conversation = conversation.model_copy(update={"head": conversation.messages[0].id})
        await storage.create(conversation)
        await _append(storage, conversation, a_message("three"))

        read = await storage.read(conversation.id)
        assert read.head is None
        assert read.updated_at == START + timedelta(hours=1)
        assert (read.created_at, read.model_extra) == (conversation.created_at, {"title": "kept"})

    async def test_appending_nothing_changes_nothing(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        await storage.create(conversation)
        await _append(storage, conversation)

        assert await storage.read(conversation.id) == conversation

    @pytest.mark.parametrize("expected_count", [0, 1, 3, 1000])
    async def test_a_wrong_count_is_a_conflict_that_tells_the_right_one(
        self, storage: Storage, expected_count: int
    ) -> None:
        conversation = a_conversation("one", "two")
        await storage.create(conversation)

        with pytest.raises(StorageConflict) as conflict:
            await _append(storage, conversation, a_message("three"), expected_count=expected_count)
        assert conflict.value.actual_count == 2
        assert await storage.read(conversation.id) == conversation

    async def test_a_message_added_twice_is_there_once(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        two, three, four = (a_message(text) for text in ("two", "three", "four"))
        await storage.create(conversation)
        for messages, expected in (([two, three], 1), ([two, three], 1), ([four], 3), ([two, three], 1), ([two], 1)):
            await _append(storage, conversation, *messages, expected_count=expected)

        assert await _texts(storage, conversation.id) == ["one", "two", "three", "four"]

    async def test_other_messages_in_that_place_are_a_conflict(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        two, three = a_message("two"), a_message("three")
        await storage.create(conversation)
        await _append(storage, conversation, two)

        for messages in ([three], [two, three], [three, two]):
            with pytest.raises(StorageConflict):
                await _append(storage, conversation, *messages, expected_count=1)
        assert await _texts(storage, conversation.id) == ["one", "two"]

    async def test_concurrent_writers_who_retry_are_all_there_in_order(self, storage: Storage) -> None:
        conversation = a_conversation("start")
        messages = [a_message(str(number)) for number in range(WRITERS)]
        await storage.create(conversation)
        await asyncio.gather(
            *(_append_retrying(storage, conversation.id, message, expected_count=1) for message in messages)
        )

        read = await storage.read(conversation.id)
        assert sorted(message.id for message in read.messages[1:]) == sorted(message.id for message in messages)
        assert read.messages[0].content == "start"

    async def test_writers_of_many_conversations_do_not_meet(self, storage: Storage) -> None:
        conversations = [a_conversation("start") for _ in range(WRITERS)]
        await asyncio.gather(*map(storage.create, conversations))
        await asyncio.gather(
            *(_append(storage, conversation, a_message(str(conversation.id))) for conversation in conversations)
        )

        for conversation in conversations:
            assert await _texts(storage, conversation.id) == ["start", str(conversation.id)]

    async def test_a_cancelled_append_has_happened_or_not(self, storage: Storage) -> None:
        conversation = a_conversation("start")
        await storage.create(conversation)
        for rounds_of_the_loop in range(20):
            expected = rounds_of_the_loop + 1
            message = a_message(str(rounds_of_the_loop))
            task = asyncio.create_task(_append(storage, conversation, message, expected_count=expected))
            for _ in range(rounds_of_the_loop):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await _append(storage, conversation, message, expected_count=expected)

        assert await _texts(storage, conversation.id) == ["start", *map(str, range(20))]

    # update

    async def test_fields_are_set_and_removed_and_nothing_else_changes(self, storage: Storage) -> None:
        conversation = a_conversation("one", "two", title="old", mood="calm")
        head = conversation.messages[0].id
        await storage.create(conversation)
        changes = {"head": str(head), "title": "a much longer title than before", "mood": None}
        await storage.update(conversation.id, changes, expected_count=2)

        read = await storage.read(conversation.id)
        assert (read.head, read.model_extra) == (head, {"title": "a much longer title than before"})
        assert read.messages == conversation.messages
        assert (read.created_at, read.updated_at) == (conversation.created_at, conversation.updated_at)

    async def test_fields_can_change_again_and_again(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        await storage.create(conversation)
        for number, title in enumerate(("x" * 5000, "y", "z" * 700, "")):
            await storage.update(conversation.id, {"title": title}, expected_count=number + 1)
            await _append(storage, conversation, a_message(title), expected_count=number + 1)

        read = await storage.read(conversation.id)
        assert read.model_extra == {"title": ""}
        assert [message.content for message in read.messages[1:]] == ["x" * 5000, "y", "z" * 700, ""]

    async def test_an_update_of_what_has_changed_meanwhile_is_a_conflict(self, storage: Storage) -> None:
        conversation = a_conversation("one", "two")
        await storage.create(conversation)

        with pytest.raises(StorageConflict) as conflict:
            await storage.update(conversation.id, {"title": "x"}, expected_count=1)
        assert conflict.value.actual_count == 2
        assert await storage.read(conversation.id) == conversation

    @pytest.mark.parametrize("name", ["id", "created_at", "updated_at", "user_id", "character_id", "messages"])
    async def test_ids_times_and_messages_are_not_set_by_update(self, storage: Storage, name: str) -> None:
        conversation = a_conversation("one")
        await storage.create(conversation)

        with pytest.raises(InvalidRequest):
            await storage.update(conversation.id, {name: "x"}, expected_count=1)
        assert await storage.read(conversation.id) == conversation

    # read

    @pytest.mark.parametrize("limit", [1, 3, 7, 100])
    async def test_pages_from_the_newest_back_make_the_whole(self, storage: Storage, limit: int) -> None:
        conversation = a_conversation(*(f"message {number} 🌸" * (number % 5) for number in range(23)), title="kept")
        await storage.create(conversation)
        pages: list[Sequence[Message]] = []
        before: int | None = None
        while before != 0:
            page = await storage.read_page(conversation.id, limit=limit, before=before)
            assert page.total == 23
            assert page.start == (23 if before is None else before) - len(page.conversation.messages)
            assert page.conversation.model_copy(update={"messages": conversation.messages}) == conversation
            pages.insert(0, page.conversation.messages)
            before = page.start

        assert [message for page in pages for message in page] == list(conversation.messages)
        assert {len(page) for page in pages[1:]} <= {limit}

    @pytest.mark.parametrize(
        ("before", "start", "texts"),
        [(None, 3, ["3", "4"]), (5, 3, ["3", "4"]), (99, 3, ["3", "4"]), (3, 1, ["1", "2"]), (1, 0, ["0"]), (0, 0, [])],
    )
    async def test_a_page_ends_before_its_position(
        self, storage: Storage, before: int | None, start: int, texts: list[str]
    ) -> None:
        conversation = a_conversation("0", "1", "2", "3", "4")
        await storage.create(conversation)
        page = await storage.read_page(conversation.id, limit=2, before=before)

        assert (page.start, page.total) == (start, 5)
        assert [message.content for message in page.conversation.messages] == texts

    async def test_the_newest_page_holds_what_was_just_appended(self, storage: Storage) -> None:
        conversation = a_conversation("0")
        await storage.create(conversation)
        for number in range(1, 8):
            await _append(storage, conversation, a_message(str(number)), expected_count=number)
            page = await storage.read_page(conversation.id, limit=2)

            assert [message.content for message in page.conversation.messages] == [str(number - 1), str(number)]
            assert page.total == number + 1

    async def test_the_document_is_what_was_stored(self, storage: Storage) -> None:
        conversation = a_conversation("one", title="kept")
        await storage.create(conversation)
        await _append(storage, conversation, a_message("two"))
        data = await storage.read_document(conversation.id)

        assert document.decode(data, conversation.id) == await storage.read(conversation.id)
        assert json.loads(data)["title"] == "kept"

    async def test_what_was_never_stored_is_not_found(self, storage: Storage) -> None:
        nowhere = a_conversation("one")

        for call in (
            storage.read(nowhere.id),
            storage.read_page(nowhere.id, limit=5),
            storage.read_document(nowhere.id),
            storage.delete(nowhere.id),
            storage.update(nowhere.id, {"title": "x"}, expected_count=0),
            storage.append(nowhere.id, nowhere.messages, expected_count=0, updated_at=START),
        ):
            with pytest.raises(ConversationNotFound):
                await call

    # list

    async def test_lists_are_newest_first_and_say_what_is_in_each(self, storage: Storage) -> None:
        conversations = [a_conversation("x", after_s=number * (-1) ** number) for number in range(4)]
        await asyncio.gather(*map(storage.create, conversations))
        listed = await storage.list()
        newest = max(conversations, key=lambda conversation: conversation.updated_at)

        assert [summary.updated_at for summary in listed.data] == sorted(
            (conversation.updated_at for conversation in conversations), reverse=True
        )
        assert listed.data[0] == ConversationSummary(
            id=newest.id,
            user_id=newest.user_id,
            character_id=newest.character_id,
            created_at=newest.created_at,
            updated_at=newest.updated_at,
            message_count=1,
        )
        assert listed.next is None

    async def test_owners_are_kept_apart_in_lists(self, storage: Storage) -> None:
        ann, bob = uuid4(), "bob"
        miku, rin = uuid4(), "rin"
        made = {
            (user, character): a_conversation("hi", user_id=user, character_id=character)
            for user in (ann, bob)
            for character in (miku, rin)
        }
        await asyncio.gather(*map(storage.create, made.values()))

        for user in (ann, bob, uuid4(), ""):
            mine = {stored.id for (owner, _), stored in made.items() if owner == user}
            assert set(await _listed(storage, user_id=user)) == mine
            for character in (miku, rin, "len"):
                wanted = [made[user, character].id] if (user, character) in made else []
                assert await _listed(storage, user_id=user, character_id=character) == wanted
        assert set(await _listed(storage, character_id=miku)) == {made[ann, miku].id, made[bob, miku].id}
        assert set(await _listed(storage, user_id=str(ann))) == set(await _listed(storage, user_id=ann))

    @pytest.mark.parametrize("same_time", [False, True])
    async def test_pages_of_a_list_hold_everything_once(self, storage: Storage, *, same_time: bool) -> None:
        user = uuid4()
        conversations = [
            a_conversation(user_id=user, after_s=0 if same_time else number // 2, created_at=START)
            for number in range(11)
        ]
        await asyncio.gather(*map(storage.create, conversations), storage.create(a_conversation("another's")))
        listed = [summary async for summary in _pages(storage, user_id=user, limit=3)]

        assert len(listed) == 11
        assert {summary.id for summary in listed} == {conversation.id for conversation in conversations}
        times = [summary.updated_at for summary in listed]
        assert times == sorted(times, reverse=True)

    async def test_a_list_page_that_ends_with_the_last_one_has_no_next(self, storage: Storage) -> None:
        await asyncio.gather(*(storage.create(a_conversation("x")) for _ in range(4)))

        assert (await storage.list(limit=4)).next is None
        assert (await storage.list(limit=3)).next is not None

    @pytest.mark.parametrize("before", ["", "x", "1.2.3", "' OR 1=1", "9" * 400, "\0", "🌸"])
    async def test_a_list_does_not_guess_what_a_wrong_next_means(self, storage: Storage, before: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await storage.list(before=before)
        assert refused.value.param == "before"

    async def test_a_list_is_as_new_as_the_last_write(self, storage: Storage) -> None:
        old, other = a_conversation("one"), a_conversation("x", after_s=60)
        await storage.create(old)
        await storage.create(other)
        assert await _listed(storage) == [other.id, old.id]

        await _append(storage, old, a_message("two"))
        assert [(summary.id, summary.message_count) for summary in (await storage.list()).data] == [
            (old.id, 2),
            (other.id, 1),
        ]

        await storage.delete(other.id)
        assert await _listed(storage) == [old.id]

        await storage.put(a_conversation(id=old.id, user_id=old.user_id, after_s=-60))
        assert [summary.message_count for summary in (await storage.list()).data] == [0]

    # find_turn

    async def test_a_turn_is_found_in_its_conversation(self, storage: Storage) -> None:
        first, second, third = new_id(), new_id(), new_id()
        conversation, other = a_conversation("one"), a_conversation()
        other = other.model_copy(update={"messages": (a_message("hi", turn_id=first),)})
        await storage.create(conversation)
        await storage.create(other)
        await _append(storage, conversation, a_message("two", turn_id=second), a_message("three", turn_id=second))
        await _append(storage, conversation, a_message("four", turn_id=third), expected_count=3)

        found = [await storage.find_turn(turn_id) for turn_id in (first, second, third, new_id())]
        assert found == [other.id, conversation.id, conversation.id, None]

    async def test_the_turns_of_what_is_gone_are_not_found(self, storage: Storage) -> None:
        deleted, replaced = new_id(), new_id()
        gone = a_conversation().model_copy(update={"messages": (a_message("hi", turn_id=deleted),)})
        other = a_conversation().model_copy(update={"messages": (a_message("hi", turn_id=replaced),)})
        await storage.create(gone)
        await storage.create(other)
        await storage.delete(gone.id)
        await storage.put(other.model_copy(update={"messages": ()}))

        assert await storage.find_turn(deleted) is None
        assert await storage.find_turn(replaced) is None

    # put

    async def test_put_stores_what_is_not_there_yet(self, storage: Storage) -> None:
        conversation = a_conversation("one", title="kept")
        await storage.put(conversation)

        assert await storage.read(conversation.id) == conversation

    @pytest.mark.parametrize("texts", [(), ("new",), ("one", "two", "three", "four 🌸" * 1000)])
    async def test_put_replaces_all_that_was_there(self, storage: Storage, texts: tuple[str, ...]) -> None:
        old = a_conversation("one", "two", "three", title="old", mood="calm")
        new = a_conversation(*texts, id=old.id, title="new", after_s=-5)
        turn_id = new_id()
        await storage.create(old)
        await storage.put(new)
        await _append(storage, new, a_message("after", turn_id=turn_id))

        read = await storage.read(old.id)
        assert (read.messages[:-1], read.messages[-1].content) == (new.messages, "after")
        assert (read.user_id, read.model_extra) == (new.user_id, {"title": "new"})
        assert await storage.find_turn(turn_id) == old.id

    async def test_a_document_of_the_original_service_can_be_put_and_continued(self, storage: Storage) -> None:
        conversation_id = new_id()
        original = {
            "messages": [
                {"role": "user", "content": "Hello!", "timestamp": "2024-05-01T10:00:00", "mood": "shy"},
                {"role": "assistant", "content": "Hi! 🌸", "timestamp": "2024-05-01T10:00:05.250000"},
            ],
            "scene": {"place": "stage"},
            "user_id": "ann",
            "id": str(conversation_id),
            "created_at": "2024-05-01T09:59:59",
        }
        adopted = document.decode(json.dumps(original, indent=2).encode(), conversation_id)
        await storage.put(adopted)
        await _append(storage, adopted, a_message("And now?"))

        read = await storage.read(conversation_id)
        assert read.messages[:2] == adopted.messages
        assert (read.messages[0].model_extra, read.model_extra) == ({"mood": "shy"}, {"scene": {"place": "stage"}})
        assert read.created_at == datetime(2024, 5, 1, 9, 59, 59, tzinfo=UTC)

    # delete

    async def test_what_is_deleted_is_gone_and_its_id_free(self, storage: Storage) -> None:
        conversation, other = a_conversation("one"), a_conversation("other")
        await storage.create(conversation)
        await storage.create(other)
        await storage.delete(conversation.id)

        with pytest.raises(ConversationNotFound):
            await storage.read(conversation.id)
        assert await _listed(storage) == [other.id]
        again = a_conversation("again", id=conversation.id)
        await storage.create(again)
        assert await storage.read(conversation.id) == again

    # check

    async def test_a_store_that_can_be_written_says_so(self, storage: Storage) -> None:
        await storage.check()

    # records

    async def test_a_record_comes_back_until_it_is_deleted(self, storage: Storage) -> None:
        for durable in (True, False):
            for value in (b"", b"first", bytes(range(256)) * 300):
                await storage.put_record("turns", "a-b_c.d", value, durable=durable)
                assert await storage.get_record("turns", "a-b_c.d") == value
        await storage.delete_record("turns", "a-b_c.d")
        await storage.delete_record("turns", "a-b_c.d")

        assert await storage.get_record("turns", "a-b_c.d") is None

    async def test_records_are_listed_by_namespace_sorted(self, storage: Storage) -> None:
        for namespace, name in (("a", "2"), ("a", "10"), ("a", "-"), ("b", "1"), ("a.b", "x")):
            await storage.put_record(namespace, name, namespace.encode(), durable=False)

        assert list(await storage.list_records("a")) == ["-", "10", "2"]
        assert list(await storage.list_records("b")) == ["1"]
        assert list(await storage.list_records("empty")) == []
        assert await storage.get_record("b", "2") is None

    @pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "../x", "A", "é", "a b", "a\0", "x" * 129])
    async def test_a_record_cannot_leave_its_namespace(self, storage: Storage, name: str) -> None:
        for call in (
            storage.get_record("turns", name),
            storage.put_record("turns", name, b"x"),
            storage.delete_record("turns", name),
            storage.get_record(name, "x"),
            storage.put_record(name, "x", b"x"),
            storage.delete_record(name, "x"),
            storage.list_records(name),
        ):
            with pytest.raises(ValueError, match="record"):
                await call

    async def test_records_written_at_once_are_whole(self, storage: Storage) -> None:
        values = [bytes([number]) * 10_000 for number in range(20)]
        await asyncio.gather(*(storage.put_record("n", "x", value, durable=False) for value in values))
        await asyncio.gather(*(storage.put_record("n", str(number), value) for number, value in enumerate(values)))

        assert await storage.get_record("n", "x") in values
        assert [await storage.get_record("n", str(number)) for number in range(20)] == values

    # reopening

    @pytest.fixture
    def again(self, request: pytest.FixtureRequest) -> Reopen:
        """Give ``reopen`` where the store is persistent; else the test does not apply."""
        if not self.persistent:
            pytest.skip("persistent = False")
        reopen: Reopen = request.getfixturevalue("reopen")
        return reopen

    async def test_everything_is_there_when_the_store_is_opened_again(self, storage: Storage, again: Reopen) -> None:
        turn_id = new_id()
        conversation = a_conversation("one", title="kept")
        await storage.create(conversation)
        await _append(storage, conversation, a_message("two", turn_id=turn_id))
        await storage.update(conversation.id, {"head": str(conversation.messages[0].id)}, expected_count=2)
        await storage.put_record("notes", "a", b"value")
        stored = await storage.read(conversation.id)
        gone = a_conversation("gone")
        await storage.create(gone)
        await storage.delete(gone.id)

        async with again() as reopened:
            assert await reopened.read(conversation.id) == stored
            assert await _listed(reopened) == [conversation.id]
            assert await reopened.find_turn(turn_id) == conversation.id
            assert await reopened.get_record("notes", "a") == b"value"

    async def test_a_conversation_goes_on_when_the_store_is_opened_again(self, storage: Storage, again: Reopen) -> None:
        conversation = a_conversation("one")
        two = a_message("two")
        await storage.create(conversation)
        await _append(storage, conversation, two)
        async with again() as reopened:
            await _append(reopened, conversation, two)
            await _append(reopened, conversation, a_message("three"), expected_count=2)

            assert await _texts(reopened, conversation.id) == ["one", "two", "three"]

    async def test_two_openers_see_and_keep_what_each_other_writes(self, storage: Storage, again: Reopen) -> None:
        if not self.shared:
            pytest.skip("shared = False")
        conversation = a_conversation("start")
        messages = [a_message(str(number)) for number in range(WRITERS)]
        await storage.create(conversation)
        async with again() as other:
            sides = (storage, other)
            await asyncio.gather(
                *(
                    _append_retrying(sides[number % 2], conversation.id, message, expected_count=1)
                    for number, message in enumerate(messages)
                )
            )
            read = [(await side.read(conversation.id)).messages for side in sides]

        assert read[0] == read[1]
        assert {message.id for message in read[0][1:]} == {message.id for message in messages}
        assert len(read[0]) == WRITERS + 1


async def _pages(storage: Storage, *, user_id: UUID, limit: int) -> AsyncIterator[ConversationSummary]:
    before: str | None = None
    while True:
        page = await storage.list(user_id=user_id, limit=limit, before=before)
        assert len(page.data) <= limit
        for summary in page.data:
            yield summary
        before = page.next
        if before is None:
            return
