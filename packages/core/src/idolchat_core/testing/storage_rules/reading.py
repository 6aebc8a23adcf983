"""What is read is what was stored."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from idolchat_core.errors import ConversationNotFound
from idolchat_core.models import Message
from idolchat_core.storage import document
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.making import (
    START,
    a_conversation,
    a_message,
    append,
)

__all__ = ["ReadingRules"]


class ReadingRules:
    """What is read is what was stored."""

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
            await append(storage, conversation, a_message(str(number)), expected_count=number)
            page = await storage.read_page(conversation.id, limit=2)

            assert [message.content for message in page.conversation.messages] == [str(number - 1), str(number)]
            assert page.total == number + 1

    async def test_the_document_is_what_was_stored(self, storage: Storage) -> None:
        conversation = a_conversation("one", title="kept")
        await storage.create(conversation)
        await append(storage, conversation, a_message("two"))
        data = await storage.read_document(conversation.id)

        assert document.decode(data, conversation.id) == await storage.read(conversation.id)
        assert json.loads(data)["title"] == "kept"
        assert document.owner_of(data, conversation.id) == conversation.user_id

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
