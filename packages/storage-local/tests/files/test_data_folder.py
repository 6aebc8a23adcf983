# ruff: noqa: ASYNC240

import json
import os
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from idolchat_core import ConfigurationError, Conversation, Storage, StorageUnavailable, utc_now
from idolchat_core.testing import Reopen, a_conversation, a_message
from idolchat_storage_local import LocalSettings, open_local_storage

CONVERSATION = a_conversation("one")


@pytest.fixture
async def storage(open_storage: Reopen) -> AsyncGenerator[Storage]:
    async with open_storage() as storage:
        await storage.create(CONVERSATION)
        yield storage


async def each_write_is_refused(storage: Storage, reason: str) -> None:
    for call in (
        storage.check(),
        storage.create(a_conversation("new")),
        storage.put(a_conversation("new")),
        storage.append(CONVERSATION.id, [a_message()], expected_count=1, updated_at=utc_now()),
        storage.update(CONVERSATION.id, {"title": "x"}, expected_count=1),
        storage.delete(CONVERSATION.id),
        storage.put_record("turns", "x", b"x"),
        storage.put_record("new", "x", b"x", durable=False),
        storage.delete_record("turns", "x"),
    ):
        with pytest.raises(StorageUnavailable, match=reason):
            await call


async def each_read_is_refused(storage: Storage, reason: str) -> None:
    for call in (
        storage.read(CONVERSATION.id),
        storage.read_page(CONVERSATION.id, limit=5),
        storage.read_document(CONVERSATION.id),
        storage.get_record("turns", "x"),
        storage.list_records("turns"),
    ):
        with pytest.raises(StorageUnavailable, match=reason):
            await call


async def test_nothing_is_made_where_the_data_folder_was(storage: Storage, data_dir: Path, tmp_path: Path) -> None:
    data_dir.rename(tmp_path / "elsewhere")

    await each_write_is_refused(storage, "is not there.*Mount the volume")
    await each_read_is_refused(storage, "is not there.*Mount the volume")
    assert not data_dir.exists()


async def test_nothing_is_made_in_an_empty_mount_point(storage: Storage, data_dir: Path, tmp_path: Path) -> None:
    data_dir.rename(tmp_path / "elsewhere")
    data_dir.mkdir()

    await each_write_is_refused(storage, r"marker idolchat\.json is missing")
    await each_read_is_refused(storage, r"marker idolchat\.json is missing")
    assert list(data_dir.iterdir()) == []


async def test_another_data_folder_in_its_place_is_not_written_to(
    storage: Storage, data_dir: Path, tmp_path: Path
) -> None:
    async with open_local_storage(LocalSettings(data_dir=tmp_path / "other")):
        pass
    data_dir.rename(tmp_path / "elsewhere")
    (tmp_path / "other").rename(data_dir)

    await each_write_is_refused(storage, "not the one that was opened")


async def test_it_goes_on_when_the_data_folder_is_back(storage: Storage, data_dir: Path, tmp_path: Path) -> None:
    data_dir.rename(tmp_path / "elsewhere")
    await each_write_is_refused(storage, "is not there")
    (tmp_path / "elsewhere").rename(data_dir)

    await storage.check()
    await storage.append(CONVERSATION.id, [a_message("two")], expected_count=1, updated_at=utc_now())
    await storage.create(a_conversation("new"))
    assert len((await storage.read(CONVERSATION.id)).messages) == 2


async def test_a_copy_of_the_data_folder_is_the_data_folder(storage: Storage, data_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(data_dir, tmp_path / "copy")
    data_dir.rename(tmp_path / "elsewhere")
    (tmp_path / "copy").rename(data_dir)

    await storage.append(CONVERSATION.id, [a_message("two")], expected_count=1, updated_at=utc_now())
    assert len((await storage.read(CONVERSATION.id)).messages) == 2


async def test_the_data_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "data"
    async with open_local_storage(LocalSettings(data_dir=path)) as storage:
        await storage.check()

    assert json.loads((path / "idolchat.json").read_bytes())["what"] == "idolchat data folder"


async def test_a_folder_stays_the_same_when_it_is_opened_again(open_storage: Reopen, data_dir: Path) -> None:
    async with open_storage():
        first = (data_dir / "idolchat.json").read_bytes()
    async with open_storage():
        assert (data_dir / "idolchat.json").read_bytes() == first


async def test_what_lies_in_a_folder_that_is_taken_into_use_stays(data_dir: Path) -> None:
    (data_dir / "models").mkdir(parents=True)
    (data_dir / "models" / "a.gguf").write_bytes(b"weights")
    async with open_local_storage(LocalSettings(data_dir=data_dir)) as storage:
        await storage.check()

    assert (data_dir / "models" / "a.gguf").read_bytes() == b"weights"


@pytest.mark.parametrize("name", ["file", "file/data", "x" * 300])
async def test_a_folder_that_cannot_be_used_is_named_with_its_variable(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(ConfigurationError, match=r"^IDOLCHAT_DATA_DIR is .*Name a folder that the server may"):
        async with open_local_storage(LocalSettings(data_dir=tmp_path / name)):
            pass


async def test_a_relative_folder_does_not_move_with_the_working_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    conversation: Conversation = a_conversation("one")
    async with open_local_storage(LocalSettings(data_dir=Path("data"))) as storage:
        monkeypatch.chdir("/")
        await storage.create(conversation)

    assert len(list((tmp_path / "data" / "conversations").glob("*/*.json"))) == 1


async def test_files_left_half_written_by_the_dead_are_removed(open_storage: Reopen, data_dir: Path) -> None:
    async with open_storage() as storage:
        await storage.create(CONVERSATION)
        await storage.put_record("turns", "x", b"x")
    shard = data_dir / "conversations" / CONVERSATION.id.hex[-2:]
    old = [shard / ".a.json.0.tmp", data_dir / "records" / "turns" / ".x.0.tmp"]
    young = shard / ".b.json.1.tmp"
    for path in (*old, young):
        path.write_bytes(b"half")
    for path in old:
        os.utime(path, (0, 0))
    async with open_storage() as storage:
        await storage.list()

    assert [path.exists() for path in old] == [False, False]
    assert young.exists()
