"""The active branch, as far as it is loaded."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_core.conversations.branches import active_branch
from idolchat_core.models import Conversation, Message, Page, new_id, utc_now
from idolchat_core.prompt.history import Histories, History
from idolchat_core.prompt.outline import outline_of
from idolchat_core.prompt.parts import PromptPart, Slot, measured
from idolchat_core.testing import InMemoryStorage


class ReadByTwo(InMemoryStorage):
    """Lets others go on before it gives a page."""

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        page = await super().read_page(conversation_id, limit=limit, before=before)
        await asyncio.sleep(0)
        return page


def conversation_of(parents: list[int | None]) -> Conversation:
    """Make a document; each number is which earlier message (or none, -1) it follows, None the one before."""
    now, messages = utc_now(), list[Message]()
    for position, parent in enumerate(parents):
        given: dict[str, Any] = {}
        if parent is not None:
            given["parent_id"] = messages[parent].id if parent >= 0 else None
        role = "user" if position % 2 == 0 else "assistant"
        messages.append(Message(id=new_id(), role=role, content=str(position), timestamp=now, **given))
    return Conversation(id=new_id(), created_at=now, updated_at=now, messages=tuple(messages))


@st.composite
def trees(draw: st.DrawFn) -> Conversation:
    parents: list[int | None] = []
    for position in range(draw(st.integers(1, 300))):
        jumps = draw(st.integers(0, 9)) == 0
        parents.append(draw(st.integers(-1, position - 1)) if jumps else None)
    conversation = conversation_of(parents)
    head = draw(st.none() | st.sampled_from(conversation.messages))
    return conversation.model_copy(update={"head": head.id}) if head else conversation


@given(trees())
async def test_pages_loaded_one_after_another_give_the_branch_from_its_root(conversation: Conversation) -> None:
    storage = InMemoryStorage()
    await storage.put(conversation)
    histories = Histories(storage, max_bytes=2**20)
    history = await histories.get(conversation.id)
    while not history.is_complete:
        await histories.extend(history)

    assert [entry.id for entry in history.path] == [message.id for message in active_branch(conversation)]


@given(trees())
async def test_a_page_that_two_read_at_once_is_taken_once(conversation: Conversation) -> None:
    storage = ReadByTwo()
    await storage.put(conversation)
    histories = Histories(storage, max_bytes=2**20)
    history = await histories.get(conversation.id)
    while not history.is_complete:
        await asyncio.gather(histories.extend(history), histories.extend(history))

    assert [entry.id for entry in history.path] == [message.id for message in active_branch(conversation)]


@pytest.mark.parametrize("count", [3, 100])
async def test_a_head_that_is_nowhere_is_none(count: int) -> None:
    conversation = conversation_of([None] * count).model_copy(update={"head": new_id()})
    storage = InMemoryStorage()
    await storage.put(conversation)
    history = await Histories(storage, max_bytes=2**20).get(conversation.id)

    assert history.path[-1].id == conversation.messages[-1].id
    assert active_branch(conversation) == conversation.messages


@st.composite
def grown_trees(draw: st.DrawFn) -> tuple[Conversation, Conversation]:
    """Draw a tree, and one that it was before."""
    conversation = draw(trees())
    before = conversation.messages[: draw(st.integers(1, len(conversation.messages)))]
    head = draw(st.none() | st.sampled_from(before))
    return conversation, conversation.model_copy(update={"messages": before, "head": head.id if head else None})


@given(grown_trees())
async def test_a_history_goes_on_with_what_was_added_as_if_it_were_read_anew(
    grown: tuple[Conversation, Conversation],
) -> None:
    conversation, earlier = grown
    known = len(earlier.messages)
    added = conversation.model_copy(update={"messages": conversation.messages[known:]})
    storage = InMemoryStorage()
    await storage.put(earlier)
    histories = Histories(storage, max_bytes=2**20)
    history = await histories.get(conversation.id)
    await storage.put(conversation)
    page = Page(conversation=added, start=known, total=len(conversation.messages), revision="2")

    now = await histories.changed(history, page, is_added=True)
    while not now.is_complete:
        await histories.extend(now)
    assert [entry.id for entry in now.path] == [message.id for message in active_branch(conversation)]
    assert (now.total, now.last_id) == (len(conversation.messages), conversation.messages[-1].id)


async def test_a_history_that_let_go_of_its_beginning_reads_it_again() -> None:
    conversation = conversation_of([None] * 1000)
    storage = InMemoryStorage()
    await storage.put(conversation)
    histories = Histories(storage, max_bytes=2**20)
    history = await histories.get(conversation.id)
    while not history.is_complete:
        await histories.extend(history)
    history.cut = conversation.messages[800].id
    history.forget_before_cut()
    assert len(history.path) == 200
    await histories.load_until(history, size=float("inf"))

    assert [entry.id for entry in history.path] == [message.id for message in conversation.messages]


def test_a_message_names_its_parent_only_where_it_does_not_follow_the_last() -> None:
    conversation = conversation_of([None, None, None, None])
    history = History.of_new(conversation, revision="1")
    new = Message(id=new_id(), role="user", content="new", timestamp=utc_now())

    assert "parent_id" not in history.placed([new], keep=4)[0].model_fields_set
    assert history.placed([new], keep=2)[0].parent_id == conversation.messages[1].id
    assert history.placed([new], keep=0)[0].model_dump(exclude_unset=True)["parent_id"] is None


async def are_kept(histories: Histories, found: Sequence[History]) -> list[bool]:
    """Return whether histories are kept, the last that was found first."""
    return [await histories.get(one.id) is one for one in reversed(found)]


async def test_the_least_used_histories_are_forgotten_first() -> None:
    storage = InMemoryStorage()
    conversations = [conversation_of([None] * 10) for _ in range(3)]
    for conversation in conversations:
        await storage.put(conversation)
    size = (await Histories(storage, max_bytes=2**20).get(conversations[0].id)).held_bytes
    histories = Histories(storage, max_bytes=size * 5 // 2)
    found = [await histories.get(conversation.id) for conversation in conversations]

    assert await are_kept(histories, found) == [True, True, False]


@pytest.mark.parametrize(
    "content", ["x" * 100_000, [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}]]
)
async def test_few_histories_are_kept_where_their_messages_are_long(content: str | list[dict[str, Any]]) -> None:
    storage = InMemoryStorage()
    histories = Histories(storage, max_bytes=250_000)
    first = conversation_of([None])
    long = first.messages[0].model_copy(update={"content": content})
    conversations = [first.model_copy(update={"id": new_id(), "messages": (long,)}) for _ in range(3)]
    for conversation in conversations:
        await storage.put(conversation)
    found = [await histories.get(conversation.id) for conversation in conversations]

    assert await are_kept(histories, found) == [True, True, False]


async def test_few_histories_are_kept_where_much_was_recalled_for_their_prompts() -> None:
    storage = InMemoryStorage()
    histories = Histories(storage, max_bytes=250_000)
    conversations = [conversation_of([None]) for _ in range(3)]
    recalled = PromptPart("memory", "1", "x" * 100_000, Slot.TAIL, stability="turn", why={"matched": ["x"]})
    for conversation in conversations:
        await storage.put(conversation)
    found = [await histories.get(conversation.id) for conversation in conversations]
    for history in found:
        history.last_prompt = outline_of([], [], [measured(recalled)], steady=0, steady_size=0.0)
        histories.keep(history)

    assert await are_kept(histories, found) == [True, True, False]


def test_a_history_that_grows_and_lets_go_is_as_large_as_one_that_was_read_so() -> None:
    conversation = conversation_of([None] * 300)
    history = History.of_new(conversation, revision="1")
    whole = history.held_bytes
    new = Message(id=new_id(), role="user", content="other", timestamp=utc_now())
    history.add([new], keep=250)
    history.cut = conversation.messages[200].id
    history.forget_before_cut()

    left = conversation.model_copy(update={"messages": (*conversation.messages[200:250], new)})

    assert history.held_bytes == History.of_new(left, revision="1").held_bytes < whole
    assert len(history.path) == 51
