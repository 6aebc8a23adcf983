"""What a server finds at its start that no change tells it of."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from idolchat_core import Conversation, Message, Storage, new_id
from idolchat_core.testing import InMemoryStorage
from idolchat_memory.feed import MemoryFeed
from idolchat_memory.sqlite import open_sqlite_index

if TYPE_CHECKING:
    from conftest import OpenTalk, Talk

LONG_AGO = datetime(2024, 2, 29, tzinfo=UTC)
NOBODY: dict[str, Any] = {"user_id": None, "character_id": None}


def old_conversation(text: str, **ids: UUID) -> Conversation:
    message = Message(id=new_id(), role="user", content=text, timestamp=LONG_AGO)
    times = {"created_at": LONG_AGO, "updated_at": LONG_AGO}
    return Conversation.model_validate({"id": new_id(), "messages": (message,), **times, **ids})


async def heard(talk: Talk) -> None:
    """Say something and wait until it is indexed, so that the server is past what is old."""
    await talk.say("Something new", user_id=talk.ben)
    await talk.indexed("something", user_id=talk.ben)


async def test_an_index_that_is_lost_is_built_anew_by_the_next_start(opening: OpenTalk, storage: Storage) -> None:
    async with opening() as talk:
        await storage.create(
            old_conversation("My dog is called Biscuit", user_id=UUID(talk.mia), character_id=UUID(talk.yui))
        )
    async with opening() as talk:
        await talk.indexed("dog")
        await heard(talk)
        path = talk.index_path
    for file in path.parent.iterdir():
        file.unlink()

    async with opening() as talk:
        assert len(await talk.indexed("dog")) == 1


async def test_what_is_old_and_nobody_s_is_indexed_when_that_is_switched_on_and_forgotten_when_off(
    opening: OpenTalk, storage: Storage
) -> None:
    await storage.create(old_conversation("My dog is called Biscuit"))
    async with opening() as talk:
        await heard(talk)
        assert await talk.search("dog", **NOBODY) == []
    async with opening(ANONYMOUS="on") as talk:
        await talk.indexed("dog", **NOBODY)
        await heard(talk)
    async with opening(ANONYMOUS="off") as talk:
        await talk.gone("dog", **NOBODY)


async def test_a_start_indexes_what_is_missing_and_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    made = [
        old_conversation("My dog is called Biscuit", user_id=UUID(int=1)),
        old_conversation("My cat is called Crumb", user_id=UUID(int=1)),
        old_conversation("My horse is called Loaf"),
    ]
    for one in made:
        await storage.create(one)
    async with open_sqlite_index(tmp_path / "index.sqlite") as index:
        off, on = (MemoryFeed(index, storage, anonymous=anonymous) for anonymous in (False, True))
        await off.index(made[0].id, "an older revision")

        await off.catch_up()
        counts = [(await index.stats()).messages]
        assert (await index.conversations())[made[0].id] == "+an older revision"  # of this one a change tells
        await on.catch_up()
        counts.append((await index.stats()).messages)
        await off.catch_up()
        counts.append((await index.stats()).messages)

    assert counts == [2, 3, 2]
