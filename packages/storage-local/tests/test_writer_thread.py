from pathlib import Path

from idolchat_core.testing import a_conversation, a_message
from idolchat_storage_local import LocalSettings, open_local_storage
from idolchat_storage_local.files.disk import Disk


class Recording(Disk):
    """Notes what is written, and when the disk is waited for."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def write(self, fd: int, data: bytes, offset: int) -> None:
        if data != b"looked\n":  # that the scan of the folder is over, on its own thread
            self.calls.append("write")
        super().write(fd, data, offset)

    def append(self, fd: int, data: bytes) -> None:
        self.calls.append("append")
        super().append(fd, data)

    def sync(self, fd: int) -> None:
        self.calls.append("wait")
        super().sync(fd)

    def open_whole(self, path: str) -> None:
        return None


async def test_what_is_asked_for_in_one_round_is_written_before_the_disk_is_waited_for(tmp_path: Path) -> None:
    disk, conversation, message = Recording(), a_conversation("Hello!"), a_message("And then?")
    async with open_local_storage(LocalSettings(data_dir=tmp_path), disk=disk) as storage:
        await storage.settle()
        await storage.create(conversation)
        await storage.append_log("spending", "2026-11-30", b"{}\n")
        disk.calls.clear()
        line = storage.append_log("spending", "2026-11-30", b"{}\n")
        await storage.append(conversation.id, [message], expected_count=1, updated_at=message.timestamp)
        await line
        calls = disk.calls[:]

    assert calls == ["append", "write", "wait", "wait"]


async def test_what_was_asked_for_is_done_when_the_storage_closes(tmp_path: Path) -> None:
    async with open_local_storage(LocalSettings(data_dir=tmp_path)) as storage:
        lines = [storage.append_log("spending", "2026-11-30", b"%d\n" % number) for number in range(300)]
    for line in lines:
        await line

    assert (tmp_path / "logs/spending/2026-11-30").read_text().splitlines() == [str(number) for number in range(300)]
