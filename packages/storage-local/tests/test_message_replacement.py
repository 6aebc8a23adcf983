"""A deleted message leaves no byte of its text in the data folder, whatever happens meanwhile."""

import asyncio
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from idolchat_core import Conversation, ConversationDamaged, document
from idolchat_core.conversations.messages import erase_message
from idolchat_core.models import deleted_form
from idolchat_core.testing import Reopen, a_conversation, a_message

PROGRAM = Path(__file__).with_name("deleting.py")
KILLS, MESSAGES = 12, 400
SHARED = 6
"""Characters at the beginning of words that an index may write once for several words."""


def secret() -> str:
    return f"zq{uuid4().hex}"


def holding(data_dir: Path, word: str) -> list[str]:
    """Find the files in which a word is."""
    rest = word[SHARED:].encode()
    return [str(path.relative_to(data_dir)) for path in data_dir.rglob("*") if rest in content(path)]


def content(path: Path) -> bytes:
    """Read a file; a folder has nothing, nor has what goes at this moment, as temporary files do."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except FileNotFoundError:
        return b""


def said(*words: str) -> Conversation:
    return a_conversation(*words, user_id=uuid4(), character_id=uuid4())


async def test_nothing_of_a_deleted_message_is_on_the_disk(open_storage: Reopen, data_dir: Path) -> None:
    words = [secret() for _ in range(5)]
    conversation, other = said(*words), said("something else", secret())
    async with open_storage() as storage:
        for one in (conversation, other):
            await storage.create(one)
        await storage.search(words[0])
        await erase_message(storage, conversation.id, conversation.messages[2].id)
        while_open = [len(holding(data_dir, word)) > 0 for word in words]
        found = [len((await storage.search(word)).data) for word in words]

    assert while_open == [True, True, False, True, True]
    assert [len(holding(data_dir, word)) > 0 for word in words] == while_open
    assert found == [1, 1, 0, 1, 1]
    async with open_storage() as storage:
        assert [verdict.issues async for verdict in storage.verify()] == [(), ()]


async def test_words_that_were_indexed_before_a_replacement_go_too(open_storage: Reopen, data_dir: Path) -> None:
    word = secret()
    conversation = said("one", word, "three")
    async with open_storage() as storage:
        await storage.create(conversation)
        await storage.search(word)
        await storage.put(conversation.model_copy(update={"messages": conversation.messages[:2]}))
        await storage.search(word)
        await erase_message(storage, conversation.id, conversation.messages[1].id)

        assert holding(data_dir, word) == []


async def test_a_mirror_that_is_put_the_document_keeps_nothing_either(open_storage: Reopen, data_dir: Path) -> None:
    word = secret()
    conversation = said("one", word, "three")
    async with open_storage() as storage:
        await storage.create(conversation)
        await storage.search(word)
        gone = deleted_form(conversation.messages[1], deleted_at=conversation.updated_at)
        changed = document.encode(document.with_message(conversation, gone))
        await storage.put_documents({conversation.id: changed})

        assert holding(data_dir, word) == []
        assert await storage.read_document(conversation.id) == changed
        assert [len((await storage.search(text)).data) for text in ("one", word, "three")] == [1, 0, 1]


async def test_copies_of_a_deleted_message_go_and_those_of_other_conversations_stay(
    open_storage: Reopen, data_dir: Path, file_of: Callable[[UUID], Path]
) -> None:
    word, kept = secret(), secret()
    conversation, other = said(word), said(kept)
    async with open_storage() as storage:
        for one, its_word in ((conversation, word), (other, kept)):
            await storage.create(one)
            message_id = one.messages[0].id
            turn = f'{{"message_id": "{message_id}", "content": "{its_word}"}}'
            for path in (
                data_dir / "damaged" / f"{one.id}.20260101T000000.000000Z.tail",
                file_of(one.id).with_name(f".{one.id}.json.0a1b2c3d.tmp"),
                data_dir / "records" / "turns" / ".running.0.0a1b2c3d.tmp",
                data_dir / f"{one.id}.json",
            ):
                path.parent.mkdir(exist_ok=True)
                path.write_text(path.read_text() + turn if path.exists() else turn)
        await erase_message(storage, conversation.id, conversation.messages[0].id)

        assert holding(data_dir, word) == []
        assert len(holding(data_dir, kept)) == 4  # a record of both has gone with the one


async def test_a_document_of_the_original_service_is_rewritten(
    open_storage: Reopen, data_dir: Path, file_of: Callable[[UUID], Path]
) -> None:
    word, conversation_id = secret(), uuid4()
    text = f'{{"messages": [{{"role": "user", "content": "{word}"}}, {{"role": "assistant", "content": "yes"}}]}}'
    async with open_storage() as storage:
        (data_dir / f"{conversation_id}.json").write_text(text)
        first = (await storage.read(conversation_id)).messages[0]
        await erase_message(storage, conversation_id, first.id)
        left = (await storage.read(conversation_id)).messages

    assert holding(data_dir, word) == []
    assert [(message.role, message.content) for message in left] == [("user", None), ("assistant", "yes")]
    assert file_of(conversation_id).exists()


async def test_a_damaged_conversation_is_left_as_it_is(
    open_storage: Reopen, data_dir: Path, file_of: Callable[[UUID], Path]
) -> None:
    conversation = said("one", "two")
    async with open_storage() as storage:
        await storage.create(conversation)
        path = file_of(conversation.id)
        path.write_bytes(path.read_bytes()[:-60] + b"x" * 60)
        before = path.read_bytes()

        with pytest.raises(ConversationDamaged):
            await erase_message(storage, conversation.id, conversation.messages[0].id)
        assert path.read_bytes() == before


async def test_a_message_is_wholly_there_or_wholly_gone_when_a_process_is_killed(
    open_storage: Reopen, data_dir: Path
) -> None:
    words = [secret() for _ in range(MESSAGES)]
    conversation = said(*[f"begin {word}" for word in words])
    async with open_storage() as storage:
        await storage.create(conversation)
    count = 0
    for _ in range(KILLS):
        gone = await killed_while_deleting(data_dir, conversation.id)
        async with open_storage() as storage:
            messages = (await storage.read(conversation.id)).messages
            count = sum(message.deleted_at is not None for message in messages)
            near = range(max(count - 2, 0), min(count + 2, MESSAGES))
            found = {place: len((await storage.search(words[place])).data) for place in near}

        assert gone <= {message.id for message in messages[:count]}
        assert [message.content for message in messages] == [None] * count + [f"begin {word}" for word in words[count:]]
        assert [bool(holding(data_dir, word)) for word in words] == [False] * count + [True] * (MESSAGES - count)
        assert found == {place: int(place >= count) for place in near}
    assert 0 < count < MESSAGES


async def killed_while_deleting(data_dir: Path, conversation_id: UUID) -> set[UUID | str]:
    """Have a process delete messages, kill it at some moment, and tell what it said is gone."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), str(data_dir), str(conversation_id), stdout=PIPE
    )
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(random.randint(1, 3))]
    await asyncio.sleep(random.random() * 0.03)  # the moment is what this varies
    if process.returncode is None:
        process.kill()
    rest = await process.stdout.read()
    await process.wait()
    return {UUID(line.decode()) for line in b"".join([*lines, rest]).split(b"\n") if len(line) == 36}


async def test_messages_are_added_and_deleted_by_many_at_once(open_storage: Reopen, data_dir: Path) -> None:
    words = [secret() for _ in range(10)]
    conversation = said(*words)
    async with open_storage() as storage:
        await storage.create(conversation)
        async with asyncio.TaskGroup() as tasks:
            for message in conversation.messages:
                tasks.create_task(erase_message(storage, conversation.id, message.id))
                tasks.create_task(asyncio.to_thread(holding, data_dir, "nothing at all"))
            tasks.create_task(
                storage.append(
                    conversation.id, [a_message("new")], expected_count=10, updated_at=conversation.updated_at
                )
            )
        left = (await storage.read(conversation.id)).messages

    assert [message.content for message in left] == [None] * 10 + ["new"]
    assert [holding(data_dir, word) for word in words] == [[]] * 10
