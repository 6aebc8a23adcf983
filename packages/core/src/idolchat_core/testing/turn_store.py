"""What every store of turns must do: a pytest class to run by overriding its fixtures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from idolchat_core.coordination.contract import (
    AlreadyEntered,
    NewMessages,
    OnBusy,
    TurnsAhead,
    TurnStore,
    UnfinishedTurn,
)
from idolchat_core.errors import ConversationBusy, ConversationNotFound, QueueFull, StorageConflict
from idolchat_core.events.events import TurnState
from idolchat_core.models import Message, Page, new_id
from idolchat_core.spending.ledger import Ledger
from idolchat_core.spending.ledger_lines import NAMESPACE
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.spending.settings import SpendingSettings
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.memory import InMemoryStorage
from idolchat_core.testing.scripted import ScriptedProvider
from idolchat_core.testing.storage_rules.making import a_conversation, a_message

__all__ = ["OpenTurnStore", "TurnStoreConformance", "an_unfinished_turn"]

type OpenTurnStore = Callable[[], Awaitable[TurnStore]]


def an_unfinished_turn(conversation_id: UUID, **fields: Any) -> UnfinishedTurn:
    """Make a turn that has said nothing yet."""
    ids = {"turn_id": new_id(), "user_message_id": new_id(), "message_id": new_id()}
    return UnfinishedTurn(**{**ids, "conversation_id": conversation_id, **fields})


async def enters(turns: TurnStore, conversation_id: UUID, turn_id: UUID, **how: Any) -> list[UUID]:
    """Enter a turn, and return the ids of those ahead of it."""
    how = {"on_busy": OnBusy.ENQUEUE, "max_waiting": 8, **how}
    return [occupant.turn_id for occupant in await turns.enter(conversation_id, turn_id, **how)]


@pytest.mark.asyncio
class TurnStoreConformance:
    """The contract of ``TurnStore``, as tests.

    Override the fixtures ``storage`` and ``turns``, an open store of its turns; ``another``, which opens the store of
    a further process that is alive; and ``successor``, which returns that of a process that has found ``turns``'s
    process dead. ``shared`` is False where there is one process at a time, and ``another`` is not needed then.
    """

    shared = True

    @pytest.fixture
    def storage(self) -> Storage:
        """An empty storage."""
        return InMemoryStorage()

    @pytest.fixture
    def turns(self, storage: Storage) -> TurnStore:
        """The store of this process."""
        raise NotImplementedError("override the fixture `turns` with one that gives the store under test")

    @pytest.fixture
    def another(self) -> OpenTurnStore:
        """A function that opens the store of another process."""
        if not self.shared:
            pytest.skip("one process at a time")
        raise NotImplementedError("override the fixture `another`, or set `shared = False` if that is how it is")

    @pytest.fixture
    def successor(self) -> OpenTurnStore:
        """A function that opens the store of a process that comes after ``turns``'s has died."""
        raise NotImplementedError("override the fixture `successor` with a function that opens the store again")

    @pytest.fixture
    def ledger(self, storage: Storage) -> Ledger:
        """The ledger of this process."""
        return Ledger(storage, ScriptedProvider(), settings=SpendingSettings())

    @pytest.fixture
    def call(self, ledger: Ledger) -> MeteredCall:
        """A call that is about to be made, of which nothing is written yet."""
        call = ledger.admit(user_id=None, key_id=None, address=None, purpose="chat")
        call.prepare(call_id=new_id())
        return call

    @pytest.fixture
    async def conversation_id(self, storage: Storage) -> UUID:
        """A conversation of two messages."""
        conversation = a_conversation("Hello!", "Good evening.")
        await storage.create(conversation)
        return conversation.id

    async def begins(
        self, turns: TurnStore, conversation_id: UUID, turn_id: UUID, call: MeteredCall, *messages: Message, count: int
    ) -> str | None:
        """Begin a turn with messages."""
        write = NewMessages(messages, count, messages[-1].timestamp)
        describe = partial(an_unfinished_turn, conversation_id, turn_id=turn_id)
        revision = await turns.begin(conversation_id, turn_id, write, call=call, describe=describe)
        await call.written()
        return revision

    async def begins_at_once(
        self,
        turns: TurnStore,
        conversation_id: UUID,
        turn_id: UUID,
        call: MeteredCall,
        *,
        count: int = 2,
        on_busy: OnBusy = OnBusy.ENQUEUE,
        enters: bool = True,
    ) -> list[UUID]:
        """Enter and begin a turn with a message, and return the ids of those ahead; it has begun with none."""
        if enters:
            ahead = await turns.enter(conversation_id, turn_id, on_busy=on_busy, max_waiting=8, begins_at_once=True)
            if ahead:
                return [occupant.turn_id for occupant in ahead]
        try:
            await self.begins(turns, conversation_id, turn_id, call, a_message("Sing!"), count=count)
        except TurnsAhead as others:
            return [occupant.turn_id for occupant in others.ahead]
        return []

    async def test_a_turn_that_begins_at_once_has_its_place_when_it_has_begun(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        turn_id = new_id()
        assert await self.begins_at_once(turns, conversation_id, turn_id, call) == []

        [occupant] = await turns.occupants(conversation_id)
        assert (occupant.turn_id, occupant.has_begun, occupant.is_waiting) == (turn_id, True, False)
        assert (await storage.read_page(conversation_id, limit=1)).total == 3
        reply = a_message("La la la!")
        await turns.end(conversation_id, turn_id, NewMessages([reply], 3, reply.timestamp))
        assert await turns.occupants(conversation_id) == []

    async def test_a_turn_that_was_to_begin_at_once_waits_behind_others(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        first, second = new_id(), new_id()
        await enters(turns, conversation_id, first)
        assert await self.begins_at_once(turns, conversation_id, second, call) == [first]
        assert (await storage.read_page(conversation_id, limit=1)).total == 2
        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [first, second]

        await turns.end(conversation_id, first)
        await turns.reached(conversation_id, second)
        await self.begins(turns, conversation_id, second, call, a_message("Sing!"), count=2)
        assert (await storage.read_page(conversation_id, limit=1)).total == 3

    async def test_a_turn_that_was_to_begin_at_once_is_refused_where_nobody_may_wait(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall
    ) -> None:
        first = new_id()
        await enters(turns, conversation_id, first)

        with pytest.raises(ConversationBusy):
            await self.begins_at_once(turns, conversation_id, new_id(), call, on_busy=OnBusy.REJECT)
        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [first]

    async def test_a_turn_that_begins_at_once_begins_anew_where_the_conversation_was_not_as_expected(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall
    ) -> None:
        turn_id = new_id()
        with pytest.raises(StorageConflict):
            await self.begins_at_once(turns, conversation_id, turn_id, call, count=1)

        assert await self.begins_at_once(turns, conversation_id, turn_id, call, enters=False) == []
        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [turn_id]

    async def test_a_turn_that_was_to_begin_at_once_and_does_not_leaves_nothing(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall
    ) -> None:
        for fails in (False, True):
            turn_id = new_id()
            if fails:
                with pytest.raises(StorageConflict):
                    await self.begins_at_once(turns, conversation_id, turn_id, call, count=1)
            else:
                await enters(turns, conversation_id, turn_id, begins_at_once=True)
            await turns.end(conversation_id, turn_id)

            assert await turns.occupants(conversation_id) == []
            assert await turns.find(turn_id) is None

    async def test_of_turns_of_all_processes_that_begin_at_once_one_does(
        self, turns: TurnStore, another: OpenTurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        stores, ids = [turns, await another(), await another()] * 3, [new_id() for _ in range(9)]
        ahead = await asyncio.gather(
            *(
                self.begins_at_once(store, conversation_id, turn_id, call)
                for store, turn_id in zip(stores, ids, strict=True)
            )
        )

        in_order = [turn.turn_id for turn in await turns.occupants(conversation_id)]
        assert sorted(ahead, key=len) == [in_order[:number] for number in range(9)]
        assert (await storage.read_page(conversation_id, limit=1)).total == 3

    async def test_one_that_has_begun_at_once_is_known_everywhere(
        self, turns: TurnStore, another: OpenTurnStore, conversation_id: UUID, call: MeteredCall
    ) -> None:
        other, turn_id = await another(), new_id()
        await self.begins_at_once(turns, conversation_id, turn_id, call)

        with pytest.raises(AlreadyEntered) as raised:
            await self.begins_at_once(other, conversation_id, turn_id, call, count=3)
        assert raised.value.occupant == await turns.find(turn_id)

    async def test_the_first_turn_of_a_conversation_has_nobody_ahead(
        self, turns: TurnStore, conversation_id: UUID
    ) -> None:
        assert await enters(turns, conversation_id, new_id()) == []

    async def test_turns_of_other_conversations_are_not_ahead(self, turns: TurnStore, conversation_id: UUID) -> None:
        await enters(turns, conversation_id, new_id())

        assert await enters(turns, new_id(), new_id()) == []

    async def test_turns_wait_in_the_order_in_which_they_came(self, turns: TurnStore, conversation_id: UUID) -> None:
        ids = [new_id() for _ in range(4)]
        for number, turn_id in enumerate(ids):
            assert await enters(turns, conversation_id, turn_id) == ids[:number]
        reached: list[UUID] = []
        waiting = [asyncio.create_task(self._reach(turns, conversation_id, turn_id, reached)) for turn_id in ids[1:]]
        for turn_id in ids[:-1]:
            await turns.end(conversation_id, turn_id)
            await waiting[ids.index(turn_id)]
            assert reached == ids[1 : ids.index(turn_id) + 2]

    async def _reach(self, turns: TurnStore, conversation_id: UUID, turn_id: UUID, reached: list[UUID]) -> None:
        await turns.reached(conversation_id, turn_id)
        reached.append(turn_id)

    async def test_one_that_waits_may_give_its_place_up(self, turns: TurnStore, conversation_id: UUID) -> None:
        first, second, third = (new_id() for _ in range(3))
        for turn_id in (first, second, third):
            await enters(turns, conversation_id, turn_id)
        await turns.end(conversation_id, second)
        await turns.end(conversation_id, first)

        await turns.reached(conversation_id, third)
        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [third]

    async def test_a_turn_learns_whether_one_that_was_ahead_of_it_has_begun(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall
    ) -> None:
        for has_begun in (False, True):
            first, second = new_id(), new_id()
            await enters(turns, conversation_id, first)
            await enters(turns, conversation_id, second)
            if has_begun:
                await self.begins(turns, conversation_id, first, call, a_message("Sing!"), count=2)
            await turns.end(conversation_id, first)

            assert await turns.reached(conversation_id, second) is has_begun
            await turns.end(conversation_id, second)

    async def test_a_busy_conversation_refuses_who_does_not_wait(self, turns: TurnStore, conversation_id: UUID) -> None:
        running = new_id()
        await enters(turns, conversation_id, running)
        with pytest.raises(ConversationBusy):
            await enters(turns, conversation_id, new_id(), on_busy=OnBusy.REJECT)

        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [running]

    async def test_no_more_than_so_many_wait(self, turns: TurnStore, conversation_id: UUID) -> None:
        for _ in range(3):
            await enters(turns, conversation_id, new_id(), max_waiting=2)
        with pytest.raises(QueueFull):
            await enters(turns, conversation_id, new_id(), max_waiting=2)

        assert len(await turns.occupants(conversation_id)) == 3

    async def test_a_turn_has_one_place(self, turns: TurnStore, conversation_id: UUID) -> None:
        turn_id = new_id()
        await enters(turns, conversation_id, turn_id)
        with pytest.raises(AlreadyEntered) as raised:
            await enters(turns, conversation_id, turn_id)

        assert raised.value.occupant.turn_id == turn_id

    @pytest.mark.parametrize("on_busy", [OnBusy.INTERRUPT, OnBusy.ROLLBACK])
    async def test_who_interrupts_has_all_ahead_stop(
        self, turns: TurnStore, conversation_id: UUID, on_busy: OnBusy
    ) -> None:
        ahead = [new_id(), new_id()]
        for turn_id in ahead:
            await enters(turns, conversation_id, turn_id)
        await enters(turns, conversation_id, new_id(), on_busy=on_busy)

        assert await turns.save([]) == dict.fromkeys(ahead, TurnState.CANCELLED)

    async def test_a_turn_begins_with_a_new_conversation(
        self, turns: TurnStore, storage: Storage, call: MeteredCall
    ) -> None:
        conversation, turn_id = a_conversation("Hello!"), new_id()
        await enters(turns, conversation.id, turn_id)
        describe = partial(an_unfinished_turn, conversation.id, turn_id=turn_id)
        revision = await turns.begin(conversation.id, turn_id, conversation, call=call, describe=describe)
        await call.written()

        page = await storage.read_page(conversation.id, limit=9)
        assert (page.revision, page.conversation.messages) == (revision, conversation.messages)

    async def test_a_turn_begins_with_its_messages_and_the_line_of_its_call(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        message, turn_id = a_message("Sing!"), new_id()
        await enters(turns, conversation_id, turn_id)
        revision = await self.begins(turns, conversation_id, turn_id, call, message, count=2)

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
        await enters(turns, conversation_id, turn_id)
        with pytest.raises(StorageConflict):
            await self.begins(turns, conversation_id, turn_id, call, message, count=1)
        assert (await storage.read_page(conversation_id, limit=9)).total == 2
        await self.begins(turns, conversation_id, turn_id, call, message, count=2)

        assert (await storage.read_page(conversation_id, limit=9)).total == 3
        assert len(await lines_of(storage, call)) == 1

    async def begins_behind(
        self, turns: TurnStore, known: Page, turn_id: UUID, call: MeteredCall, *, said_at_s: float = 60
    ) -> tuple[list[Message], list[tuple[Page, bool]]]:
        """Begin a turn with a message that may follow, and return what it was stored behind of others, as told."""
        conversation_id, told = known.conversation.id, list[tuple[Page, bool]]()
        message = a_message("Sing!", turn_id=turn_id, after_s=said_at_s)
        on_added = lambda page, is_added: told.append((page, is_added))  # noqa: E731
        write = NewMessages([message], known.total, message.timestamp, None, known.revision, on_added)
        describe = partial(an_unfinished_turn, conversation_id, turn_id=turn_id)
        await enters(turns, conversation_id, turn_id)
        await turns.begin(conversation_id, turn_id, write, call=call, describe=describe)
        return [message], told

    async def test_a_message_that_may_follow_comes_behind_what_others_have_added_or_is_refused(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        known, reply = await storage.read_page(conversation_id, limit=9), a_message("Good!", role="assistant")
        await storage.append(conversation_id, [reply], expected_count=2, updated_at=reply.timestamp)
        before = await storage.read_page(conversation_id, limit=1)
        try:
            written, told = await self.begins_behind(turns, known, new_id(), call)
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
            await self.begins_behind(turns, known, turn_id, call, said_at_s=said_at_s)
        assert (await storage.read_page(conversation_id, limit=1)).total == count

    async def test_a_turn_does_not_begin_in_a_conversation_that_is_gone(
        self, turns: TurnStore, call: MeteredCall
    ) -> None:
        conversation_id, turn_id = new_id(), new_id()
        await enters(turns, conversation_id, turn_id)
        with pytest.raises(ConversationNotFound):
            await self.begins(turns, conversation_id, turn_id, call, a_message("Sing!"), count=2)

    async def test_a_turn_ends_with_its_reply(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        turn_id, reply = new_id(), a_message("La la la", role="assistant")
        await enters(turns, conversation_id, turn_id)
        await self.begins(turns, conversation_id, turn_id, call, a_message("Sing!"), count=2)
        revision = await turns.end(conversation_id, turn_id, NewMessages([reply], 3, reply.timestamp), call=call)

        page = await storage.read_page(conversation_id, limit=1)
        assert (page.revision, page.conversation.messages) == (revision, (reply,))
        assert await turns.occupants(conversation_id) == []

    async def test_a_turn_whose_reply_finds_the_conversation_changed_keeps_its_place(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID
    ) -> None:
        turn_id, reply = new_id(), a_message("La la la", role="assistant")
        await enters(turns, conversation_id, turn_id)
        with pytest.raises(StorageConflict):
            await turns.end(conversation_id, turn_id, NewMessages([reply], 1, reply.timestamp))
        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [turn_id]
        await turns.end(conversation_id, turn_id, NewMessages([reply], 2, reply.timestamp))

        assert (await storage.read_page(conversation_id, limit=1)).conversation.messages == (reply,)

    async def test_that_a_turn_is_to_stop_is_told_with_where_it_is_and_when_it_is_saved(
        self, turns: TurnStore, conversation_id: UUID
    ) -> None:
        turn_id = new_id()
        await enters(turns, conversation_id, turn_id)
        assert await turns.save([]) == {}
        stopped = await turns.stop(turn_id, TurnState.CANCELLED)

        assert stopped == await turns.find(turn_id) is not None
        assert await turns.save([]) == {turn_id: TurnState.CANCELLED}
        await turns.end(conversation_id, turn_id)
        assert await turns.save([]) == {}

    async def test_of_a_turn_that_has_no_place_nothing_is_known(self, turns: TurnStore, conversation_id: UUID) -> None:
        turn_id = new_id()
        await enters(turns, conversation_id, turn_id)
        await turns.end(conversation_id, turn_id)

        assert await turns.find(turn_id) is None
        assert await turns.stop(turn_id, TurnState.CANCELLED) is None

    async def test_who_waits_is_told_from_who_runs(self, turns: TurnStore, conversation_id: UUID) -> None:
        for turn_id in (new_id(), new_id()):
            await enters(turns, conversation_id, turn_id)

        assert [turn.is_waiting for turn in await turns.occupants(conversation_id)] == [False, True]

    async def test_the_reply_so_far_is_taken_over_from_a_process_that_died(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall, successor: OpenTurnStore
    ) -> None:
        turn = an_unfinished_turn(conversation_id, content="La la", model="m", fields={"reasoning": "hm"})
        await enters(turns, conversation_id, turn.turn_id)
        await self.begins(turns, conversation_id, turn.turn_id, call, a_message("Sing!"), count=2)
        for content in ("La", "La la"):
            await turns.save([turn.model_copy(update={"content": content})])

        assert await left_to(successor) == [turn]

    async def test_a_turn_of_which_no_message_tells_is_taken_over(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall, successor: OpenTurnStore
    ) -> None:
        turn = an_unfinished_turn(conversation_id)
        await enters(turns, conversation_id, turn.turn_id)
        await turns.begin(conversation_id, turn.turn_id, None, call=call, describe=lambda: turn, is_kept=True)
        await call.written()

        assert [left.turn_id for left in await left_to(successor)] == [turn.turn_id]

    async def test_turns_that_waited_are_taken_over_after_the_one_that_ran(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall, successor: OpenTurnStore
    ) -> None:
        ran = an_unfinished_turn(conversation_id, content="La la")
        await enters(turns, conversation_id, ran.turn_id)
        await self.begins(turns, conversation_id, ran.turn_id, call, a_message("Sing!"), count=2)
        waited = []
        for text in ("And now?", "Well?"):
            message = a_message(text)
            turn = an_unfinished_turn(conversation_id, user_message_id=message.id, messages=(message,), continues=True)
            await enters(turns, conversation_id, turn.turn_id)
            await turns.wait(turn)
            waited.append(turn)
        await turns.save([ran])

        assert await left_to(successor) == [ran, *waited]

    async def test_what_was_taken_over_ends_like_a_turn_of_ones_own(
        self,
        turns: TurnStore,
        storage: Storage,
        conversation_id: UUID,
        call: MeteredCall,
        successor: OpenTurnStore,
    ) -> None:
        turn = an_unfinished_turn(conversation_id, content="La la")
        await enters(turns, conversation_id, turn.turn_id)
        await self.begins(turns, conversation_id, turn.turn_id, call, a_message("Sing!"), count=2)
        await turns.save([turn])
        heir = await successor()
        reply = a_message("La la", role="assistant")
        for left in await heir.take_over():
            await heir.end(conversation_id, left.turn_id, NewMessages([reply], 3, reply.timestamp))
        await heir.settled()

        assert [*await heir.take_over(), *await left_to(successor)] == []
        assert (await storage.read_page(conversation_id, limit=1)).conversation.messages == (reply,)
        assert await enters(heir, conversation_id, new_id()) == []

    async def test_nothing_is_taken_over_of_a_turn_that_has_ended(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall, successor: OpenTurnStore
    ) -> None:
        turn = an_unfinished_turn(conversation_id, content="La la")
        await enters(turns, conversation_id, turn.turn_id)
        await self.begins(turns, conversation_id, turn.turn_id, call, a_message("Sing!"), count=2)
        await turns.save([turn])
        await turns.end(conversation_id, turn.turn_id)
        await turns.save([turn])
        await turns.settled()

        assert await left_to(successor) == []

    async def test_a_turn_that_cannot_be_stored_now_ends_later_and_is_taken_over_before(
        self,
        turns: TurnStore,
        storage: Storage,
        conversation_id: UUID,
        call: MeteredCall,
        successor: OpenTurnStore,
    ) -> None:
        turn = an_unfinished_turn(conversation_id, content="La la")
        reply = a_message("La la", role="assistant")
        await enters(turns, conversation_id, turn.turn_id)
        await self.begins(turns, conversation_id, turn.turn_id, call, a_message("Sing!"), count=2)
        await turns.save([turn])
        await turns.postpone(conversation_id, turn.turn_id)
        await turns.end(conversation_id, turn.turn_id, NewMessages([reply], 3, reply.timestamp))
        await turns.settled()

        assert await left_to(successor) == []
        assert (await storage.read_page(conversation_id, limit=1)).conversation.messages == (reply,)

    async def test_what_is_forgotten_is_not_taken_over(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall, successor: OpenTurnStore
    ) -> None:
        kept = an_unfinished_turn(new_id(), messages=(a_message("Hi"),))
        gone = an_unfinished_turn(conversation_id, messages=(a_message("Sing!"),))
        for turn in (kept, gone):
            await enters(turns, turn.conversation_id, new_id())
            await enters(turns, turn.conversation_id, turn.turn_id)
            await turns.wait(turn)
        heir = await successor()

        assert await heir.forget(lambda turn: turn.conversation_id == conversation_id) == 1
        assert await left_to(successor) == [kept]

    async def test_turns_of_all_processes_stand_in_one_row(
        self, turns: TurnStore, another: OpenTurnStore, conversation_id: UUID
    ) -> None:
        other = await another()
        first, second, third = (new_id() for _ in range(3))
        assert await enters(turns, conversation_id, first) == []
        assert await enters(other, conversation_id, second) == [first]
        assert await enters(turns, conversation_id, third) == [first, second]
        with pytest.raises(AlreadyEntered):
            await enters(other, conversation_id, first)
        await turns.end(conversation_id, first)
        await other.reached(conversation_id, second)
        await other.end(conversation_id, second)

        await turns.reached(conversation_id, third)

    async def test_where_a_turn_is_is_known_everywhere(
        self, turns: TurnStore, another: OpenTurnStore, conversation_id: UUID
    ) -> None:
        other, turn_id = await another(), new_id()
        await enters(turns, conversation_id, turn_id)
        own = new_id()
        await enters(other, new_id(), own)

        found, mine = await other.find(turn_id), await other.find(own)
        assert found == await turns.find(turn_id)
        assert found is not None
        assert mine is not None
        assert found.inbox != mine.inbox

    async def test_a_turn_that_another_process_stops_is_told_its_own(
        self, turns: TurnStore, another: OpenTurnStore, conversation_id: UUID
    ) -> None:
        other, turn_id = await another(), new_id()
        await enters(turns, conversation_id, turn_id)
        await other.stop(turn_id, TurnState.CANCELLED)

        assert await other.save([]) == {}
        assert await turns.save([]) == {turn_id: TurnState.CANCELLED}


async def left_to(successor: OpenTurnStore) -> Sequence[UnfinishedTurn]:
    """Return what a process that comes after one that died takes over."""
    return list(await (await successor()).take_over())


async def lines_of(storage: Storage, call: MeteredCall) -> list[bytes]:
    """Find the lines of a call in the ledger."""
    if call.facts is None:
        raise AssertionError("the call is open")
    log = await storage.read_log(NAMESPACE, call.facts.log)
    return [line for line in log.splitlines() if str(call.facts.call_id).encode() in line]
