"""A summary is made of what was said since the one before, however long the conversation is."""

from uuid import UUID

import pytest

from idolchat_core import Conversation, Message, Page, new_id, utc_now
from idolchat_core.testing import InMemoryStorage, a_conversation, a_message
from idolchat_memory.summaries.covering import Covered, cover, right_ones
from idolchat_memory.summaries.summary import Summary


class Counting(InMemoryStorage):
    """Counts the messages that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.messages_read = 0

    async def read(self, conversation_id: UUID) -> Conversation:
        conversation = await super().read(conversation_id)
        self.messages_read += len(conversation.messages)
        return conversation

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        page = await super().read_page(conversation_id, limit=limit, before=before)
        self.messages_read += len(page.conversation.messages)
        return page


def talk(count: int) -> tuple[Message, ...]:
    return tuple(a_message(f"{at}: la", role="assistant" if at % 2 else "user") for at in range(count))


async def stored(storage: InMemoryStorage, messages: tuple[Message, ...]) -> Conversation:
    conversation = a_conversation().model_copy(update={"messages": messages})
    await storage.create(conversation)
    return conversation


def summary_of(covered: Covered | None, conversation: Conversation) -> Summary:
    assert covered is not None
    before = covered.before
    return Summary(
        id=new_id(),
        conversation_id=conversation.id,
        first_message_id=before.first_message_id if before else str(covered.since[0].id),
        last_message_id=str(covered.since[-1].id),
        next_message_id=covered.next_message_id,
        messages=covered.total,
        text="They met.",
        model=None,
        inputs_hash=covered.digest,
        made_at=utc_now(),
    )


@pytest.mark.parametrize("count", [300, 3000])
async def test_what_stands_before_the_summary_before_is_not_read(count: int) -> None:
    storage = Counting()
    conversation = await stored(storage, messages := talk(count))
    first = summary_of(await cover(storage, conversation.id, str(messages[-60].id), ()), conversation)
    storage.messages_read = 0
    covered = await cover(storage, conversation.id, str(messages[-10].id), [first])

    assert storage.messages_read == 64
    assert covered is not None
    assert (covered.before, list(covered.since)) == (first, list(messages[-60:-10]))


async def test_the_hash_is_the_same_whatever_it_was_worked_out_from() -> None:
    storage = Counting()
    conversation = await stored(storage, messages := talk(200))
    next_id = str(messages[150].id)
    whole = await cover(storage, conversation.id, next_id, ())
    first = summary_of(await cover(storage, conversation.id, str(messages[90].id), ()), conversation)
    rest = await cover(storage, conversation.id, next_id, [first])
    second = summary_of(rest, conversation)

    assert whole is not None
    assert (second.inputs_hash, second.messages) == (whole.digest, 150)
    assert await right_ones(storage, conversation.id, [first, second]) == [first, second]


@pytest.mark.parametrize(("deleted", "left"), [(10, []), (120, ["first"]), (160, ["first", "second"])])
async def test_a_summary_of_what_was_deleted_is_wrong(deleted: int, left: list[str]) -> None:
    storage = Counting()
    conversation = await stored(storage, messages := talk(200))
    first = summary_of(await cover(storage, conversation.id, str(messages[90].id), ()), conversation)
    second = summary_of(await cover(storage, conversation.id, str(messages[150].id), [first]), conversation)
    gone = messages[deleted].model_copy(update={"content": None, "deleted_at": utc_now()})
    await storage.replace_message(conversation.id, gone)
    names = {first.id: "first", second.id: "second"}

    assert [names[one.id] for one in await right_ones(storage, conversation.id, [first, second])] == left


async def test_summaries_of_two_branches_are_each_right_on_theirs() -> None:
    storage = Counting()
    trunk = talk(40)
    other = tuple(
        message.model_copy(update={"parent_id": parent})
        for parent, message in zip([trunk[19].id, None], talk(1), strict=False)
    )
    conversation = await stored(storage, (*trunk, *other, a_message("more", role="assistant"), a_message("And?")))
    end = conversation.messages[-1]
    along = summary_of(await cover(storage, conversation.id, str(end.id), ()), conversation)
    trunk_only = summary_of(await cover(storage, conversation.id, str(trunk[39].id), ()), conversation)

    assert (along.messages, trunk_only.messages) == (22, 39)
    assert await right_ones(storage, conversation.id, [along, trunk_only]) == [along, trunk_only]


async def test_there_is_nothing_to_sum_up_before_the_first_message_or_an_unknown_one() -> None:
    storage = Counting()
    conversation = await stored(storage, messages := talk(3))

    assert await cover(storage, conversation.id, str(messages[0].id), ()) is None
    assert await cover(storage, conversation.id, str(new_id()), ()) is None
    assert await cover(storage, new_id(), str(messages[0].id), ()) is None
