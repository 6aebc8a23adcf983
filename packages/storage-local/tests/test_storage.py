import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_core import Storage, StorageUnavailable, document
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.testing import Reopen, StorageConformance, a_conversation, a_message
from idolchat_storage_local import LocalSettings, open_local_storage, plugin


class TestLocalStorage(StorageConformance):
    @pytest.fixture
    async def storage(self, data_dir: Path) -> AsyncGenerator[Storage]:
        async with open_local_storage(LocalSettings(data_dir=data_dir)) as storage:
            yield storage

    @pytest.fixture
    def reopen(self, data_dir: Path) -> Reopen:
        return lambda: open_local_storage(LocalSettings(data_dir=data_dir))


async def test_the_file_is_the_document_one_message_a_line(storage: Storage, file_of: Callable[[UUID], Path]) -> None:
    conversation = a_conversation("one", "two", title="kept")
    await storage.create(conversation)
    await storage.append(conversation.id, [a_message("three")], expected_count=2, updated_at=conversation.updated_at)
    data = file_of(conversation.id).read_bytes()

    assert data == document.encode(await storage.read(conversation.id))
    assert data == await storage.read_document(conversation.id)
    assert [json.loads(line.rstrip(b","))["content"] for line in data.split(b"\n")[1:-1]] == ["one", "two", "three"]


async def test_only_the_owner_of_the_process_may_read_the_files(
    storage: Storage, file_of: Callable[[UUID], Path]
) -> None:
    conversation = a_conversation("private")
    await storage.create(conversation)
    await storage.put_record("turns", "x", b"private")
    path = file_of(conversation.id)

    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


async def test_old_pages_of_a_long_conversation_are_found(storage: Storage, open_storage: Reopen) -> None:
    conversation = a_conversation(*map(str, range(600)))
    await storage.create(conversation)
    for number in range(600, 1200, 40):
        messages = [a_message(str(number + offset)) for offset in range(40)]
        await storage.append(conversation.id, messages, expected_count=number, updated_at=conversation.updated_at)

    async with open_storage() as reopened:
        for side in (storage, reopened):
            for before in (1, 255, 256, 257, 300, 511, 512, 513, 700, 1023, 1024, 1025, 1199, 1200):
                page = await side.read_page(conversation.id, limit=7, before=before)
                assert [int(str(m.content)) for m in page.conversation.messages] == list(
                    range(max(0, before - 7), before)
                )


async def test_a_closed_storage_says_so(open_storage: Reopen) -> None:
    conversation = a_conversation("one")
    async with open_storage() as storage:
        await storage.create(conversation)

    for call in (
        storage.read(conversation.id),
        storage.append(conversation.id, [a_message()], expected_count=1, updated_at=conversation.updated_at),
    ):
        with pytest.raises(StorageUnavailable, match="closed"):
            await call


async def test_what_was_asked_for_is_done_before_it_closes(open_storage: Reopen) -> None:
    conversations = [a_conversation("one") for _ in range(20)]
    async with open_storage() as storage:
        for conversation in conversations:
            await storage.create(conversation)

    async with open_storage() as storage:
        assert {summary.id for summary in (await storage.list()).data} == {made.id for made in conversations}


async def test_it_is_found_as_a_plugin(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setenv("IDOLCHAT_DATA_DIR", str(data_dir))
    plugins = load_plugins(plugin, installed=False)
    async with plugins.storages.get("local")() as storage:
        await storage.check()

    assert (data_dir / "idolchat.json").is_file()
    assert load_plugins(only=["storage-local"]).storages.origin("local").startswith("idolchat-storage-local ")
