import os
import sys
from pathlib import Path

import pytest

from idolchat_storage_local.files.whole_sync import can_sync_whole, sync_whole

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux")


def test_a_file_system_in_memory_is_not_synced_as_a_whole() -> None:
    assert not can_sync_whole("/proc")


def test_what_is_no_folder_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        can_sync_whole("/nowhere")


def test_a_file_system_is_synced(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        sync_whole(fd)
    finally:
        os.close(fd)


def test_what_is_not_open_cannot_be_synced() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_whole(-1)


def test_one_that_takes_no_writes_is_not_taken_for_synced() -> None:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = [place for _, place, _, options, *_ in mounts if "ro" in options.split(",") and Path(place).is_dir()]
    if not places:
        pytest.skip("nothing here is mounted read-only")
    fd = os.open(places[0], os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Read-only"):
            sync_whole(fd)
    finally:
        os.close(fd)
