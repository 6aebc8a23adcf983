"""The index of replies: it follows what is stored, and holds nothing of who is erased."""

from pathlib import Path
from uuid import uuid4

import pytest

from idolchat_api_openai.matching.index import ReplyIndex, forget_user, index_path, open_index
from idolchat_api_openai.requests.text import normal_form
from idolchat_core import (
    Change,
    ChangeKind,
    Conversation,
    CoreSettings,
    Message,
    Services,
    new_id,
    utc_now,
)
from idolchat_core.testing import ChangeObserverConformance, InMemoryStorage, ScriptedProvider
from idolchat_core.testing.observer import OpenObserver

REPLY = "The forest hums softly, and the lamp burns low."


def services(tmp_path: Path, storage: InMemoryStorage) -> Services:
    return Services(storage=storage, provider=ScriptedProvider(), settings=CoreSettings(data_dir=tmp_path))


class TestReplyIndex(ChangeObserverConformance):
    @pytest.fixture
    def storage(self) -> InMemoryStorage:
        return InMemoryStorage()

    @pytest.fixture
    def opening(self, tmp_path: Path, storage: InMemoryStorage) -> OpenObserver:
        return lambda: open_index(services(tmp_path, storage))


def message(role: str, content: str, **more: object) -> Message:
    return Message.model_validate({"id": new_id(), "role": role, "content": content, "timestamp": utc_now(), **more})


async def stored(storage: InMemoryStorage, *messages: Message) -> tuple[Conversation, Change]:
    conversation = Conversation(
        id=new_id(),
        created_at=utc_now(),
        updated_at=utc_now(),
        user_id=uuid4(),
        character_id=uuid4(),
        messages=messages,
    )
    revision = await storage.create(conversation)
    return conversation, Change(conversation_id=conversation.id, revision=revision, kinds=(ChangeKind.STORED,))


async def test_a_reply_is_found_by_its_user_and_character_alone(tmp_path: Path) -> None:
    storage, index = InMemoryStorage(), ReplyIndex(index_path(tmp_path))
    conversation, change = await stored(storage, message("user", "Hi"), message("assistant", REPLY))
    async with open_index(services(tmp_path, storage)) as observer:
        await observer.note(change)

    async def found(user: object, character: object, text: str = REPLY) -> list[object]:
        return list(await index.find(user, character, [normal_form("assistant", text)], limit=4))

    assert await found(conversation.user_id, conversation.character_id) == [conversation.id]
    assert await found(conversation.user_id, conversation.character_id, f" {REPLY.replace(' ', '  ')}\n") == [
        conversation.id
    ]
    assert not await found(uuid4(), conversation.character_id)
    assert not await found(conversation.user_id, uuid4())
    assert not await found(conversation.user_id, conversation.character_id, "Something else that is long enough.")


async def test_what_a_client_wrote_and_short_replies_identify_nothing(tmp_path: Path) -> None:
    storage, index = InMemoryStorage(), ReplyIndex(index_path(tmp_path))
    written, short = message("assistant", REPLY, origin="client"), message("assistant", "Yes.")
    conversation, change = await stored(storage, written, message("user", "Hi"), short)
    async with open_index(services(tmp_path, storage)) as observer:
        await observer.note(change)

    texts = [normal_form("assistant", REPLY), normal_form("assistant", "Yes.")]
    assert not await index.find(conversation.user_id, conversation.character_id, texts, limit=4)


async def test_nothing_is_left_of_what_was_deleted_or_erased(tmp_path: Path) -> None:
    storage, index = InMemoryStorage(), ReplyIndex(index_path(tmp_path))
    texts = [normal_form("assistant", REPLY)]
    first, change = await stored(storage, message("user", "Hi"), message("assistant", REPLY))
    second, other = await stored(storage, message("user", "Hi"), message("assistant", REPLY))
    async with open_index(services(tmp_path, storage)) as observer:
        await observer.note(change)
        await observer.note(other)
        gone = Change(conversation_id=first.id, revision=None, kinds=(ChangeKind.DELETED,))
        await observer.note(gone)

        assert not await index.find(first.user_id, first.character_id, texts, limit=4)
        assert await index.find(second.user_id, second.character_id, texts, limit=4) == [second.id]
    assert forget_user(index_path(tmp_path), str(second.user_id)) == 1
    assert not await index.find(second.user_id, second.character_id, texts, limit=4)


def test_an_index_that_is_only_begun_holds_nobody(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    path.touch()

    assert forget_user(path, str(uuid4())) == 0
