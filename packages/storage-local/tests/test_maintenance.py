"""What is wrong in a data folder is found and mended, and what nobody needs is removed."""

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_core import Conversation, ConversationDamaged, ConversationFilter, Storage, VerificationResult, document
from idolchat_core.testing import Reopen, a_conversation, a_message

HOUR_S = 3600


@pytest.fixture
async def conversation(storage: Storage) -> Conversation:
    conversation = a_conversation("one", "two", "three", title="kept")
    await storage.create(conversation)
    return conversation


def age(path: Path) -> None:
    then = time.time() - HOUR_S
    os.utime(path, (then, then))


async def issues(storage: Storage) -> dict[UUID, list[str]]:
    verdicts: list[VerificationResult] = [verdict async for verdict in storage.verify()]
    return {verdict.conversation_id: [issue.code for issue in verdict.issues] for verdict in verdicts if verdict.issues}


def spoil(path: Path) -> bytes:
    """Make the message in the middle unreadable, and give what the file holds then."""
    data = path.read_bytes().replace(b'"content":"two"', b'"content":two')
    path.write_bytes(data)
    return data


async def test_a_document_in_our_form_is_put_as_it_is_and_any_other_written_out(
    storage: Storage, file_of: Callable[[UUID], Path]
) -> None:
    conversation = a_conversation("one", "two", "three")
    ours = document.encode(conversation)
    as_they_are = [ours, ours.replace(b'"content":"one"', b'"content": "\\u006fne"')]
    others = [
        json.dumps(json.loads(ours), indent=1).encode(),
        ours.replace(b'{"id"', b'{\n"id"'),
        ours.replace(b"},\n{", b"},{"),
        ours + b"\n",
    ]
    kept = []
    for data in (*as_they_are, *others):
        await storage.put_documents({conversation.id: data})
        assert await storage.read(conversation.id) == conversation
        kept.append(file_of(conversation.id).read_bytes())

    assert kept == [*as_they_are, ours, ours, ours, ours]
    assert await issues(storage) == {}


@pytest.mark.parametrize("harm", [b'"role":1', b'"rule":"user"', b'"role":"user'])
async def test_a_document_with_a_bad_message_is_not_put(storage: Storage, harm: bytes) -> None:
    conversation = a_conversation("one", "two")
    with pytest.raises(ConversationDamaged):
        await storage.put_documents({conversation.id: document.encode(conversation).replace(b'"role":"user"', harm)})

    assert list(await storage.list_ids()) == []


async def test_a_damaged_conversation_is_told_with_what_can_be_read(
    storage: Storage, conversation: Conversation, file_of: Callable[[UUID], Path]
) -> None:
    spoil(file_of(conversation.id))
    [verdict] = [verdict async for verdict in storage.verify()]
    [issue] = verdict.issues

    assert (verdict.message_count, issue.code) == (2, "damaged")
    assert "2 messages can be read of 3" in issue.message
    assert file_of(conversation.id).name in issue.message


async def test_a_damaged_conversation_is_mended_and_its_bytes_are_kept(
    storage: Storage, conversation: Conversation, file_of: Callable[[UUID], Path], data_dir: Path
) -> None:
    bytes_before = spoil(file_of(conversation.id))
    would = await storage.repair(conversation.id, dry_run=True)
    untouched = file_of(conversation.id).read_bytes()
    assert await storage.read_stored(conversation.id) == bytes_before
    did = await storage.repair(conversation.id)

    assert (would.message_count, would.kept_as, untouched) == (2, None, bytes_before)
    assert did.kept_as is not None
    assert (data_dir / did.kept_as).read_bytes() == bytes_before
    repaired = await storage.read(conversation.id)
    assert ([message.content for message in repaired.messages], repaired.model_extra) == (
        ["one", "three"],
        {"title": "kept"},
    )
    assert await issues(storage) == {}
    await storage.append(conversation.id, [a_message("on")], expected_count=2, updated_at=repaired.updated_at)


async def test_what_cannot_be_read_at_all_is_not_mended(
    storage: Storage, conversation: Conversation, file_of: Callable[[UUID], Path]
) -> None:
    file_of(conversation.id).write_bytes(b"\0" * 500)

    assert await issues(storage) == {conversation.id: ["damaged"]}
    with pytest.raises(ConversationDamaged):
        await storage.repair(conversation.id)
    assert file_of(conversation.id).read_bytes() == b"\0" * 500


@pytest.mark.parametrize(
    "wrong", ["UPDATE conversations SET message_count = 7", "UPDATE conversations SET user_id = 'bob'"]
)
async def test_an_index_that_says_something_else_is_told_and_put_right(
    open_storage: Reopen, file_of: Callable[[UUID], Path], data_dir: Path, wrong: str
) -> None:
    made = a_conversation("one", user_id="ann")
    async with open_storage() as storage:
        await storage.create(made)
    age(file_of(made.id))
    async with open_storage() as storage:
        await storage.list()
    with sqlite3.connect(data_dir / "index.sqlite3") as database:
        database.execute(wrong)
    database.close()
    async with open_storage() as storage:
        assert await issues(storage) == {made.id: ["index"]}
        assert await issues(storage) == {}
        [summary] = (await storage.list(ConversationFilter(user_id="ann"))).data
        assert summary.message_count == 1


async def test_what_is_listed_and_gone_is_told(
    storage: Storage, conversation: Conversation, file_of: Callable[[UUID], Path]
) -> None:
    await storage.list()
    file_of(conversation.id).unlink()

    assert await issues(storage) == {conversation.id: ["index"]}
    assert [done async for done in storage.reindex()][-1] == 0
    assert await issues(storage) == {}
    assert (await storage.list()).data == []


async def test_files_of_the_original_service_are_no_flaw(storage: Storage, data_dir: Path) -> None:
    conversation = a_conversation("one", "two")
    (data_dir / f"{conversation.id}.json").write_bytes(document.encode(conversation).replace(b"\n", b"\n  "))

    assert await issues(storage) == {}
    assert [verdict.message_count async for verdict in storage.verify()] == [2]


async def test_nothing_is_wrong_while_others_write(open_storage: Reopen, file_of: Callable[[UUID], Path]) -> None:
    made = [a_conversation("one", title="kept") for _ in range(8)]

    async def write(storage: Storage, conversation: Conversation) -> None:
        for count in range(1, 40):
            added = a_message(str(count), after_s=count)
            await storage.append(conversation.id, [added], expected_count=count, updated_at=added.timestamp)

    async with open_storage() as writer, open_storage() as reader:
        await asyncio.gather(*map(writer.create, made))
        writing = asyncio.gather(*(write(writer, conversation) for conversation in made))
        found = []
        while not writing.done():
            found.append(await issues(reader))
            found += [{one.id: ["repair"]} for one in made if (await reader.repair(one.id, dry_run=True)).issues]
        await writing

    assert [one for one in found if one] == []


async def test_what_died_writers_left_and_old_bytes_are_removed(
    storage: Storage, conversation: Conversation, file_of: Callable[[UUID], Path], data_dir: Path
) -> None:
    await storage.settle()  # the look at the start removes what died writers left, too
    spoil(file_of(conversation.id))
    repair = await storage.repair(conversation.id)
    kept = data_dir / str(repair.kept_as)
    left, writing = file_of(conversation.id).with_name(".a.tmp"), file_of(conversation.id).with_name(".b.tmp")
    for path in (left, writing):
        path.write_bytes(b"half")
    age(left)
    early = [item.place async for item in storage.collect_garbage(older_than=timedelta(days=1))]
    age(kept)
    late = [item.place async for item in storage.collect_garbage(older_than=timedelta(minutes=5))]

    assert early == [str(left.relative_to(data_dir))]
    assert late == [repair.kept_as]
    assert [path.exists() for path in (left, writing, kept)] == [False, True, False]


async def test_words_of_what_is_deleted_are_removed(
    storage: Storage, conversation: Conversation, data_dir: Path
) -> None:
    await storage.create(a_conversation("four"))
    await storage.search("one")
    assert [item async for item in storage.collect_garbage(older_than=timedelta(0))] == []
    await storage.delete(conversation.id)
    assert (await storage.search("one")).data == []
    [would] = [item async for item in storage.collect_garbage(older_than=timedelta(0), dry_run=True)]
    [removed] = [item async for item in storage.collect_garbage(older_than=timedelta(0))]

    assert (would.kind, removed.place) == ("search", "search.sqlite3")
    assert len((await storage.search("four")).data) == 1
    assert [item async for item in storage.collect_garbage(older_than=timedelta(0))] == []
