"""What is written as a turn begins, and when it is refused."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest

from idolchat_core.coordination.contract import NewMessages, TurnStore
from idolchat_core.errors import ConversationNotFound, StorageConflict
from idolchat_core.models import Message, Page, new_id
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.making import a_conversation, a_message
from idolchat_core.testing.turn_rules.making import an_unfinished_turn, begin, enter, lines_of

__all__ = ["BeginningRules"]


class BeginningRules:
    """What is written as a turn begins, and when it is refused."""

    async def test_a_turn_begins_with_a_new_conversation(
        self, turns: TurnStore, storage: Storage, call: MeteredCall
    ) -> None:
        conversation, turn_id = a_conversation("Hello!"), new_id()
        await enter(turns, conversation.id, turn_id)
        describe = partial(an_unfinished_turn, conversation.id, turn_id=turn_id)
        revision = await turns.begin(conversation.id, turn_id, conversation, call=call, describe=describe)
        await call.written()

        page = await storage.read_page(conversation.id, limit=9)
        assert (page.revision, page.conversation.messages) == (revision, conversation.messages)

    async def test_a_turn_begins_with_its_messages_and_the_line_of_its_call(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        message, turn_id = a_message("Sing!"), new_id()
        await enter(turns, conversation_id, turn_id)
        revision = await begin(turns, conversation_id, turn_id, call, message, count=2)

        page = await storage.read_page(conversation_id, limit=1)
        assert (page.revision, page.conversation.messages) == (revision, (message,))
        assert len(await lines_of(storage, call)) == 1
        [occupant] = await turns.occupants(conversation_id)
        assert occupant.has_begun
        assert not occupant.is_waiting

    async def test_a_turn_that_finds_the_conversation_changed_begins_anew(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        message, turn_id = a_message("Sing!"), new_id()
        await enter(turns, conversation_id, turn_id)
        with pytest.raises(StorageConflict):
            await begin(turns, conversation_id, turn_id, call, message, count=1)
        assert (await storage.read_page(conversation_id, limit=9)).total == 2
        await begin(turns, conversation_id, turn_id, call, message, count=2)

        assert (await storage.read_page(conversation_id, limit=9)).total == 3
        assert len(await lines_of(storage, call)) == 1

    async def begin_behind(
        self, turns: TurnStore, known: Page, turn_id: UUID, call: MeteredCall, *, said_at_s: float = 60
    ) -> tuple[list[Message], list[tuple[Page, bool]]]:
        """Begin a turn with a message that may follow, and return what it was stored behind of others, as told."""
        conversation_id, told = known.conversation.id, list[tuple[Page, bool]]()
        message = a_message("Sing!", turn_id=turn_id, after_s=said_at_s)
        on_added = lambda page, is_added: told.append((page, is_added))  # noqa: E731
        write = NewMessages([message], known.total, message.timestamp, None, known.revision, on_added)
        describe = partial(an_unfinished_turn, conversation_id, turn_id=turn_id)
        await enter(turns, conversation_id, turn_id)
        await turns.begin(conversation_id, turn_id, write, call=call, describe=describe)
        return [message], told

    async def test_a_message_that_may_follow_comes_behind_what_others_have_added_or_is_refused(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        known, reply = await storage.read_page(conversation_id, limit=9), a_message("Good!", role="assistant")
        await storage.append(conversation_id, [reply], expected_count=2, updated_at=reply.timestamp)
        before = await storage.read_page(conversation_id, limit=1)
        try:
            written, told = await self.begin_behind(turns, known, new_id(), call)
        except StorageConflict:
            written = []
        else:
            assert told == [(before, True)]

        page = await storage.read_page(conversation_id, limit=9)
        assert page.conversation.messages == (*known.conversation.messages, reply, *written)

    @pytest.mark.parametrize("change", ["question", "same turn", "head", "update", "replaced", "later"])
    async def test_a_message_that_may_follow_is_refused_where_more_has_changed(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall, change: str
    ) -> None:
        known, turn_id = await storage.read_page(conversation_id, limit=9), new_id()
        said_at_s, count = 0 if change == "later" else 60, 3
        role = "user" if change == "question" else "assistant"
        of_turn = {"turn_id": turn_id} if change == "same turn" else {}
        added = a_message("Good!", role=role, after_s=said_at_s and 1, **of_turn)
        updated_at = added.timestamp + timedelta(seconds=1)
        if change == "update":
            await storage.update(conversation_id, {"title": "Songs"}, expected_count=2)
            count = 2
        else:
            head = known.conversation.messages[0].id if change == "head" else None
            await storage.append(conversation_id, [added], expected_count=2, updated_at=updated_at, head=head)
        if change == "replaced":
            first = known.conversation.messages[0].model_copy(update={"content": "Hi!"})
            await storage.replace_message(conversation_id, first)

        with pytest.raises(StorageConflict):
            await self.begin_behind(turns, known, turn_id, call, said_at_s=said_at_s)
        assert (await storage.read_page(conversation_id, limit=1)).total == count

    async def test_a_turn_does_not_begin_in_a_conversation_that_is_gone(
        self, turns: TurnStore, call: MeteredCall
    ) -> None:
        conversation_id, turn_id = new_id(), new_id()
        await enter(turns, conversation_id, turn_id)
        with pytest.raises(ConversationNotFound):
            await begin(turns, conversation_id, turn_id, call, a_message("Sing!"), count=2)
