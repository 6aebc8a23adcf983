"""Files of the original service, wherever they were put."""

# ruff: noqa: ASYNC240

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from idolchat_core import Conversation, ConversationExists, ConversationFilter, Storage, document, new_id, utc_now
from idolchat_core.testing import Reopen, a_conversation, a_message

ID = UUID("4d3b1f7e-8d57-4a4b-9f0e-1c9a33c6a001")
ORIGINAL: dict[str, Any] = {
    "id": str(ID),
    "created_at": "2024-05-01T09:59:59",
    "user_id": "6b1f7e4d-578d-4b4a-8e9f-339a1c6a0c01",
    "character_id": "miku",
    "messages": [
        {"role": "user", "content": "Hello!\nAre you there? \u2028", "timestamp": "2024-05-01T10:00:00"},
        {"role": "assistant", "content": "Hi! 🌸", "timestamp": "2024-05-01T10:00:05.25", "mood": {"joy": 1.0}},
    ],
    "updated_at": "2024-05-01T10:00:05.25",
    "scene": "stage",
}
UNORDERED = dict(sorted(ORIGINAL.items(), reverse=True))
BARE = {"messages": [{"role": "user", "content": "Hello!"}, {"content": "Hi!", "role": "assistant"}]}
OURS = document.encode(document.from_parts(dict(ORIGINAL), ID))

SHAPES = {
    "indented": json.dumps(ORIGINAL, indent=2).encode(),
    "indented, not escaped": json.dumps(ORIGINAL, indent=4, ensure_ascii=False).encode(),
    "in one line": json.dumps(ORIGINAL).encode(),
    "compact, other order": json.dumps(UNORDERED, separators=(",", ":")).encode(),
    "line end at the end": json.dumps(ORIGINAL, indent=1).encode() + b"\r\n",
    "Windows line ends": json.dumps(ORIGINAL, indent=2).replace("\n", "\r\n").encode(),
    "hardly anything": json.dumps(BARE).encode(),
    "nobody said anything": json.dumps({**ORIGINAL, "messages": []}).encode(),
    "ours": OURS,
    "ours, without ids": OURS.replace(b'{"id":"', b'{"was":"').replace(b'{"was":"', b'{"id":"', 1),
    "ours, indented": json.dumps(json.loads(OURS), indent=2).encode(),
    "ours, with a line end at the end": OURS + b"\n",
    "two messages in a line": OURS.replace(b",\n{", b",{"),
}
PLACES = {
    "in its place": Path("conversations") / ID.hex[-2:],
    "in conversations": Path("conversations"),
    "in the data folder": Path(),
}


@pytest.fixture(params=PLACES.values(), ids=list(PLACES))
def dropped(request: pytest.FixtureRequest, data_dir: Path) -> Callable[[bytes], Path]:
    def drop(data: bytes) -> Path:
        path: Path = data_dir / request.param / f"{ID}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return drop


def as_read(data: bytes) -> Conversation:
    return document.decode(data, ID)


@pytest.mark.parametrize("data", SHAPES.values(), ids=SHAPES.keys())
async def test_it_is_read_as_it_is(storage: Storage, dropped: Callable[[bytes], Path], data: bytes) -> None:
    path = dropped(data)
    expected = as_read(data)
    page = await storage.read_page(ID, limit=1)

    assert await storage.read(ID) == expected
    assert page.conversation.messages == expected.messages[-1:]
    assert page.total == len(expected.messages)
    assert document.decode(await storage.read_document(ID), ID) == expected
    assert path.read_bytes() == data


@pytest.mark.parametrize("data", SHAPES.values(), ids=SHAPES.keys())
async def test_it_is_adopted_by_the_first_write(
    storage: Storage, dropped: Callable[[bytes], Path], file_of: Callable[[UUID], Path], data: bytes
) -> None:
    path = dropped(data)
    expected = as_read(data)
    message = a_message("And now?")
    await storage.append(ID, [message], expected_count=len(expected.messages), updated_at=message.timestamp)

    read = await storage.read(ID)
    assert read.messages == (*expected.messages, message)
    assert (read.user_id, read.created_at, read.model_extra) == (
        expected.user_id,
        expected.created_at,
        expected.model_extra,
    )
    assert file_of(ID).read_bytes() == document.encode(read)
    assert path == file_of(ID) or not path.exists()


async def test_it_is_adopted_by_an_update(storage: Storage, dropped: Callable[[bytes], Path]) -> None:
    dropped(SHAPES["indented"])
    await storage.update(ID, {"scene": "backstage"}, expected_count=2)

    assert (await storage.read(ID)).model_extra == {"scene": "backstage"}


async def test_it_is_listed_when_it_was_there_at_the_start(
    dropped: Callable[[bytes], Path], open_storage: Reopen
) -> None:
    dropped(SHAPES["indented"])
    async with open_storage() as storage:
        [summary] = (await storage.list(ConversationFilter(character_id="miku"))).data

    assert (summary.id, summary.message_count, summary.status) == (ID, 2, "ok")
    assert summary.updated_at == datetime(2024, 5, 1, 10, 0, 5, 250000, tzinfo=UTC)


@pytest.mark.parametrize("place", ["conversations", "."])
async def test_it_is_listed_when_it_is_dropped_in_later(storage: Storage, data_dir: Path, place: str) -> None:
    assert (await storage.list()).data == []
    (data_dir / place / f"{ID}.json").write_bytes(SHAPES["in one line"])

    assert [summary.id for summary in (await storage.list()).data] == [ID]


async def test_its_id_is_taken(storage: Storage, dropped: Callable[[bytes], Path]) -> None:
    dropped(SHAPES["indented"])

    with pytest.raises(ConversationExists):
        await storage.create(a_conversation("new", id=ID))


async def test_put_and_delete_leave_nothing_of_it(
    storage: Storage, dropped: Callable[[bytes], Path], data_dir: Path
) -> None:
    dropped(SHAPES["indented"])
    new = a_conversation("new", id=ID)
    await storage.put(new)
    assert await storage.read(ID) == new

    await storage.delete(ID)
    assert [path for path in data_dir.rglob("*") if str(ID) in path.name] == []


async def test_what_lies_where_a_conversation_has_its_file_already_is_left_alone(
    storage: Storage, data_dir: Path
) -> None:
    new = a_conversation("new", id=ID)
    await storage.create(new)
    stray = data_dir / f"{ID}.json"
    stray.write_bytes(SHAPES["indented"])
    await storage.append(ID, [a_message("two")], expected_count=1, updated_at=utc_now())

    assert [message.content for message in (await storage.read(ID)).messages] == ["new", "two"]
    assert (await storage.list()).data[0].message_count == 2
    assert stray.read_bytes() == SHAPES["indented"]


@pytest.mark.parametrize("name", ["notes.json", f"{ID}.json.bak", f"{str(ID).upper()}.json", f"{ID.hex}.json", ".json"])
async def test_other_files_are_no_conversations(storage: Storage, data_dir: Path, name: str) -> None:
    (data_dir / name).write_bytes(SHAPES["indented"])
    (data_dir / "conversations" / name).write_bytes(SHAPES["indented"])

    assert (await storage.list()).data == []
    assert await storage.find_turn(new_id()) is None
