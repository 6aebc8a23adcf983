import os
from pathlib import Path

import pytest

from idolchat_storage_local.files import redo_log
from idolchat_storage_local.files.disk import Disk

OLD = b"what was there before" * 10
NEW = b"what is to be there" * 5


def found_in(path: Path, data: bytes) -> tuple[int, bytes] | None:
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        return redo_log.find(Disk(), fd, len(data))
    finally:
        os.close(fd)


@pytest.mark.parametrize("at", [1, 100, len(OLD)])
def test_a_whole_change_is_found(tmp_path: Path, at: int) -> None:
    data = OLD + redo_log.block(NEW, at=at, size=len(OLD))

    assert found_in(tmp_path / "file", data) == (at, NEW)
    assert data.startswith(OLD)


def test_the_change_stands_behind_the_place_that_it_is_for() -> None:
    block = redo_log.block(NEW, at=len(OLD) - 1, size=len(OLD))

    assert block.index(NEW) == len(NEW) - 1


def test_a_change_that_was_cut_is_not_found(tmp_path: Path) -> None:
    data = OLD + redo_log.block(NEW, at=50, size=len(OLD))

    for size in range(len(OLD), len(data)):
        assert found_in(tmp_path / "file", data[:size]) is None


def test_a_change_with_a_part_that_was_never_written_is_not_found(tmp_path: Path) -> None:
    data = OLD + redo_log.block(NEW, at=50, size=len(OLD))

    for start in range(len(OLD), len(data)):
        assert found_in(tmp_path / "file", data[:start] + bytes(len(data) - start)) is None
        assert found_in(tmp_path / "file", data[: len(OLD)] + bytes(start - len(OLD)) + data[start:]) in (
            None,
            (50, NEW),
        )


@pytest.mark.parametrize("data", [b"", b"x", OLD, bytes(100)])
def test_where_there_is_none_none_is_found(tmp_path: Path, data: bytes) -> None:
    assert found_in(tmp_path / "file", data) is None
