"""A crash in the middle of a change: what was acknowledged before is there, and the file opens."""

# ruff: noqa: ASYNC240

import json
import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idolchat_core import Conversation, Message, Storage, document, new_id
from idolchat_core.testing import Reopen, a_conversation, a_message
from idolchat_storage_local import LocalSettings, open_local_storage
from idolchat_storage_local.files.disk import Disk

SECTOR = 512


async def append(storage: Storage, conversation: Conversation, *messages: Message) -> None:
    await storage.append(
        conversation.id,
        messages,
        expected_count=len(conversation.messages),
        updated_at=messages[-1].timestamp,
    )


@pytest.mark.parametrize("with_index", [True, False])
@pytest.mark.parametrize("rest", ["of the old closing", "cut off", "zeros"])
async def test_an_append_torn_at_any_byte(
    open_storage: Reopen, data_dir: Path, file_of: Callable[[UUID], Path], *, with_index: bool, rest: str
) -> None:
    old = document.encode(a_conversation("one", "two 🌸"))
    added = a_message("three 🌸", turn_id=new_id())
    place = old.rindex(b"\n")
    size = len(document.lines([added], follows=True)) + len(old) - place
    torn = [a_conversation("one", "two 🌸") for _ in range(size + 1)]
    async with open_storage() as storage:
        for conversation in torn:
            await storage.create(conversation)
    if not with_index:
        for path in data_dir.glob("index.sqlite3*"):
            path.unlink()
    for written, conversation in enumerate(torn):
        path = file_of(conversation.id)
        before = path.read_bytes()
        after = document.encode(conversation.model_copy(update={"messages": (*conversation.messages, added)}))
        left = {"of the old closing": before[place + written :], "cut off": b"", "zeros": bytes(size - written)}[rest]
        path.write_bytes(after[: place + written] + left)

    async with open_storage() as storage:
        for conversation in torn:
            read = await storage.read(conversation.id)
            assert read.status is None
            assert read.messages in (conversation.messages, (*conversation.messages, added))
            await append(storage, read, a_message("four"))
            data = json.loads(file_of(conversation.id).read_bytes())
            assert [message["content"] for message in data["messages"]][:2] == ["one", "two 🌸"]
            assert data["messages"][-1]["content"] == "four"


async def test_the_bytes_of_a_torn_message_are_kept(
    open_storage: Reopen, data_dir: Path, file_of: Callable[[UUID], Path]
) -> None:
    conversation = a_conversation("one")
    async with open_storage() as storage:
        await storage.create(conversation)
        path = file_of(conversation.id)
        cut = b',\n{"id":"0198","role":"user","content":"what I was about to say, which is a long'
        path.write_bytes(path.read_bytes().removesuffix(document.closing(conversation)) + cut)
        await append(storage, conversation, a_message("two"))

    [kept] = (data_dir / "damaged").iterdir()
    assert kept.read_bytes() == cut


async def test_a_torn_file_is_whole_again_soon_after_the_start(
    open_storage: Reopen, file_of: Callable[[UUID], Path]
) -> None:
    conversation = a_conversation("one")
    async with open_storage() as storage:
        await storage.create(conversation)
    path = file_of(conversation.id)
    path.write_bytes(path.read_bytes()[:-20])
    async with open_storage() as storage:
        [summary] = (await storage.list()).data

    assert summary.message_count == 1
    assert json.loads(path.read_bytes())["messages"][0]["content"] == "one"


# What a power cut leaves: of what was written since the last sync, any sectors, and any of the sizes.


@dataclass
class Recorder(Disk):
    """Notes what is done to a file after it is told to watch it."""

    watched: Path | None = None
    steps: list[tuple[str, int, bytes]] = field(default_factory=list)

    def _is_watched(self, fd: int) -> bool:
        return self.watched is not None and os.fstat(fd).st_ino == self.watched.stat().st_ino

    def write(self, fd: int, data: bytes, offset: int) -> None:
        super().write(fd, data, offset)
        if self._is_watched(fd):
            self.steps.append(("write", offset, data))

    def truncate(self, fd: int, size: int) -> None:
        super().truncate(fd, size)
        if self._is_watched(fd):
            self.steps.append(("truncate", size, b""))

    def sync(self, fd: int) -> None:
        super().sync(fd)
        if self._is_watched(fd):
            self.steps.append(("sync", 0, b""))


def after_power_cut(before: bytes, steps: Sequence[tuple[str, int, bytes]], draw: st.DataObject) -> bytes:
    """Make a file that a disk may hold when the power goes at some point of these steps."""
    done = list(steps[: draw.draw(st.integers(0, len(steps)), label="steps done")])
    last_sync = max((number for number, (what, _, _) in enumerate(done) if what == "sync"), default=-1)
    durable = bytearray(before)
    for what, number, data in done[: last_sync + 1]:
        _apply(durable, what, number, data)
    size = len(durable)
    image, sizes, length = bytearray(durable), [size], size
    for what, number, data in done[last_sync + 1 :]:
        if what == "truncate":
            length = number
            sizes.append(length)
            continue
        for start in range(number // SECTOR * SECTOR, number + len(data), SECTOR):
            if draw.draw(st.booleans(), label=f"sector {start}"):
                first, last = max(start, number), min(start + SECTOR, number + len(data))
                _apply(image, "write", first, data[first - number : last - number])
        sizes += range(max(length, number) // SECTOR * SECTOR + SECTOR, number + len(data), SECTOR)
        length = max(length, number + len(data))
        sizes.append(length)
    chosen = draw.draw(st.sampled_from(sizes), label="size")
    return bytes(image[:chosen]).ljust(chosen, b"\0")


def _apply(image: bytearray, what: str, number: int, data: bytes) -> None:
    if what == "write":
        image.extend(bytes(max(0, number + len(data) - len(image))))
        image[number : number + len(data)] = data
    elif what == "truncate":
        del image[number:]


def all_after_power_cut(before: bytes, steps: Sequence[tuple[str, int, bytes]]) -> set[bytes]:
    """Make every file that a disk may hold when the power goes before one of the syncs among these steps."""
    images = set()
    durable, waiting = bytearray(before), list[tuple[str, int, bytes]]()
    for what, number, data in steps:
        if what != "sync":
            waiting.append((what, number, data))
            continue
        parts = [
            (max(start, offset), part[max(start - offset, 0) : start + SECTOR - offset])
            for _, offset, part in waiting
            for start in range(offset // SECTOR * SECTOR, offset + len(part), SECTOR)
        ]
        written = bytearray(durable)
        for step in waiting:
            _apply(written, *step)
        for chosen in product([False, True], repeat=len(parts)):
            image = bytearray(durable)
            for (offset, part), is_written in zip(parts, chosen, strict=True):
                _apply(image, "write", offset, part if is_written else bytes(image[offset : offset + len(part)]))
            for size in {len(durable), len(written), *(place for place, _ in parts if place > len(durable))}:
                images.add(bytes(image[:size]).ljust(size, b"\0"))
        durable, waiting = written, []
    return images


async def update(storage: Storage, conversation: Conversation) -> None:
    await storage.update(conversation.id, {"note": "n" * 40}, expected_count=1)


async def append_one(storage: Storage, conversation: Conversation) -> None:
    await append(storage, conversation, a_message("two"))


async def append_two(storage: Storage, conversation: Conversation) -> None:
    await append(storage, conversation, a_message("two" * 100), a_message("three" * 50))


@pytest.mark.parametrize("mood", [{}, {"mood": "calm"}])
@pytest.mark.parametrize("change", [update, append_one, append_two])
async def test_a_change_cut_by_power_loss_wherever_it_lies_in_the_sectors(
    tmp_path: Path, change: Callable[[Storage, Conversation], Awaitable[None]], mood: dict[str, Any]
) -> None:
    disk = Recorder()
    cut: dict[UUID, bytes] = {}
    async with open_local_storage(LocalSettings(data_dir=tmp_path / "before"), disk=disk) as storage:
        for padding in range(0, SECTOR, 9):
            conversation = a_conversation("x" * padding, **mood)
            await storage.create(conversation)
            disk.steps, disk.watched = [], path_of(tmp_path / "before", conversation.id)
            before = disk.watched.read_bytes()
            await change(storage, conversation)
            for image in all_after_power_cut(before, disk.steps):
                other = new_id()
                cut[other] = image.replace(str(conversation.id).encode(), str(other).encode())
    for conversation_id, image in cut.items():
        path = path_of(tmp_path / "after", conversation_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)

    async with open_local_storage(LocalSettings(data_dir=tmp_path / "after")) as storage:
        for conversation_id in cut:
            read = await storage.read(conversation_id)
            said = [str(message.content)[:3] for message in read.messages]
            assert said[1:] in ([], ["two"], ["two", "thr"])
            assert read.status is None
            assert read.model_extra in (mood, {**mood, "note": "n" * 40})
    assert len(cut) > 150


def path_of(data_dir: Path, conversation_id: UUID) -> Path:
    return data_dir / "conversations" / conversation_id.hex[-2:] / f"{conversation_id}.json"


sizes_of_text = st.integers(0, 120) | st.integers(380, 640) | st.integers(0, 2000)
texts = sizes_of_text.map(lambda size: "x" * size)
fields = st.sampled_from([{}, {}, {"title": "t"}, {"title": "t" * 300}, {"head": str(new_id()), "n": [1] * 400}])


@settings(deadline=None, max_examples=80)
@given(st.lists(texts, min_size=1, max_size=3), fields, st.lists(texts, min_size=1, max_size=3), st.data())
async def test_an_append_cut_by_power_loss(
    old: list[str], extra: dict[str, Any], new: list[str], draw: st.DataObject
) -> None:
    conversation = a_conversation(*old, **extra)
    messages = [a_message(text, turn_id=new_id()) for text in new]

    async def change(storage: Storage) -> None:
        await append(storage, conversation, *messages)

    await check_power_cut(conversation, change, messages, [extra, without_head(extra)], draw)


@settings(deadline=None, max_examples=60)
@given(st.lists(texts, min_size=1, max_size=3), fields, fields, st.data())
async def test_an_update_cut_by_power_loss(
    old: list[str], extra: dict[str, Any], new: dict[str, Any], draw: st.DataObject
) -> None:
    conversation = a_conversation(*old, **extra)

    async def change(storage: Storage) -> None:
        await storage.update(conversation.id, {"note": "n" * 40, **new}, expected_count=len(old))

    await check_power_cut(conversation, change, [], [extra, {**extra, "note": "n" * 40, **new}], draw)


def without_head(extra: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in extra.items() if name != "head"}


async def check_power_cut(
    conversation: Conversation,
    change: Callable[[Storage], Any],
    messages: Sequence[Message],
    extras: Sequence[dict[str, Any]],
    draw: st.DataObject,
) -> None:
    disk = Recorder()
    with TemporaryDirectory() as folder:
        data_dir = Path(folder)
        path = path_of(data_dir, conversation.id)
        async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
            await storage.create(conversation)
        before = path.read_bytes()
        knows = draw.draw(st.booleans(), label="the index is there")
        shutil.copy(data_dir / "index.sqlite3", data_dir / "index.before")
        disk.watched = path
        async with open_local_storage(LocalSettings(data_dir=data_dir), disk=disk) as storage:
            await change(storage)
        for index in data_dir.glob("index.sqlite3*"):
            index.unlink()
        if knows:
            shutil.copy(data_dir / "index.before", data_dir / "index.sqlite3")
        path.write_bytes(after_power_cut(before, disk.steps, draw))

        async with open_local_storage(LocalSettings(data_dir=data_dir)) as storage:
            read = await storage.read(conversation.id)
            assert read.messages[: len(conversation.messages)] == conversation.messages
            left = list(read.messages[len(conversation.messages) :])
            assert left == messages[: len(left)]
            assert read.status is None
            assert {name: value for name, value in fields_of(read).items() if value} in extras
            assert json.loads(path.read_bytes())["id"] == str(conversation.id)
            await append(storage, read, a_message("and on"))
            assert (await storage.read(conversation.id)).messages[-1].content == "and on"


def fields_of(read: Conversation) -> dict[str, Any]:
    head = {"head": str(read.head)} if read.head else {}
    return {**head, **(read.model_extra or {})}
