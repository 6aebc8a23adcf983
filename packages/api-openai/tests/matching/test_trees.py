"""Trees follow their conversations, whoever changes these."""

from idolchat_api_openai.matching.trees import Trees
from idolchat_core import Conversation, Message, utc_now
from idolchat_core.testing import InMemoryStorage, a_conversation, a_message


def texts(*said: str) -> tuple[Message, ...]:
    return tuple(a_message(text, role="assistant" if place % 2 else "user") for place, text in enumerate(said))


async def kept(storage: InMemoryStorage, trees: Trees, *said: str) -> Conversation:
    conversation = a_conversation().model_copy(update={"messages": texts(*said)})
    await storage.create(conversation)
    await trees.get(conversation.id)
    return conversation


async def test_what_is_added_is_added_to_the_tree() -> None:
    storage = InMemoryStorage()
    trees = Trees(storage)
    conversation = await kept(storage, trees, "Hi", "Hello")
    before = await trees.get(conversation.id)
    for added in (texts("And you?", "Well"), texts("Sing", "La", "Again", "La la", "Stop", "Yes")):
        page = await storage.read_page(conversation.id, limit=1)
        await storage.append(conversation.id, added, expected_count=page.total, updated_at=utc_now())
        assert await trees.get(conversation.id) is before
    assert before is not None
    stored = await storage.read(conversation.id)
    assert [node.id for node in before.nodes] == [message.id for message in stored.messages]


async def test_a_document_that_was_replaced_by_a_longer_one_is_read_anew() -> None:
    storage = InMemoryStorage()
    trees = Trees(storage)
    conversation = await kept(storage, trees, "Hi", "Hello")
    for said in (["Other", "words", "and", "more"], ["Other", "texts", "of", "six", "messages", "here"]):
        replaced = conversation.model_copy(update={"messages": texts(*said)})
        await storage.put(replaced)
        tree = await trees.get(conversation.id)

        assert tree is not None
        assert [node.text for node in tree.nodes] == said


async def test_a_message_that_was_deleted_before_two_more_came_is_known_no_more() -> None:
    storage = InMemoryStorage()
    trees = Trees(storage)
    conversation = await kept(storage, trees, "Hi", "Hello")
    gone = conversation.messages[1].model_copy(update={"content": None, "deleted_at": utc_now()})
    await storage.put(
        conversation.model_copy(update={"messages": (conversation.messages[0], gone, *texts("So", "Yes"))})
    )
    tree = await trees.get(conversation.id)

    assert tree is not None
    assert [node.text for node in tree.nodes] == ["Hi", "", "So", "Yes"]
