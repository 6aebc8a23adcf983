"""Archives that are large, damaged, locked, or made to fill the memory."""

from __future__ import annotations

import io
import json
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from parts.imports import imports_of

from idolchat_cli.conversations.importing.candidate import Candidate
from idolchat_cli.conversations.importing.files import find_in_stream
from idolchat_cli.conversations.importing.streamed import MAX_CHARS

CHAT = {"uuid": "c", "chat_messages": [{"uuid": "m", "sender": "human", "text": "hi"}]}
BOMB_BYTES = 200 << 20


def a_bomb(folder: Path, kind: str) -> Path:
    """Write a small archive of a long text."""
    path = folder / f"bomb.{kind}"
    text = b'["' + b"a" * BOMB_BYTES
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("conversations.json", text)
    else:
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            about = tarfile.TarInfo("conversations.json")
            about.size = len(text)
            tar.addfile(about, io.BytesIO(text))
    return path


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_that_grows_a_hundredfold_is_refused_before_it_is_held(tmp_path: Path, kind: str) -> None:
    bomb = a_bomb(tmp_path, kind)
    tracemalloc.start()
    found = imports_of(bomb)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found.lost == [f"bomb.{kind}: archive that is not unpacked"]
    assert peak_bytes < 10 << 20


def test_a_value_that_is_longer_than_any_conversation_is_not_held(tmp_path: Path) -> None:
    with (tmp_path / "long.json").open("wb") as file:
        file.write(b'["' + b"a" * 10)
        file.truncate(MAX_CHARS * 3)
    tracemalloc.start()
    found = imports_of(tmp_path / "long.json")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found.lost == ["long.json: it is not valid"]
    assert peak_bytes < MAX_CHARS * 5


def test_a_list_of_any_length_on_one_line_is_read(tmp_path: Path) -> None:
    with (tmp_path / "long.json").open("w") as file:
        file.write(f"[{json.dumps(CHAT)}")
        for _ in range(MAX_CHARS >> 20):
            file.write(f', {{"chat_messages": [], "a": "{"a" * (1 << 20)}"}}')
        file.write("]")
    found = imports_of(tmp_path / "long.json")

    assert (len(found.conversations), found.lost) == (1, [])


def test_an_archive_that_is_damaged_or_locked_does_not_end_the_run(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("conversations.json", json.dumps([CHAT]))
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "b.zip").write_bytes(whole.replace(b'"hi"', b'"ho"', 1))
    locked = bytearray(whole)
    locked[6] |= 1
    locked[whole.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "c.zip").write_bytes(locked)
    found = imports_of(tmp_path)

    assert len(found.conversations) == 1
    assert [reason.rpartition(": ")[2] for reason in found.lost] == [
        "archive that cannot be read",
        "file that is locked by a password",
    ]


@pytest.mark.parametrize("kind", ["json", "zip", "tar.gz"])
def test_what_comes_through_a_pipe_is_read_as_a_file_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    (tmp_path / "conversations.json").write_text(json.dumps([CHAT]))
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(tmp_path / "conversations.json")
    elif kind == "tar.gz":
        with tarfile.open(path, "w:gz") as tar:
            tar.add(tmp_path / "conversations.json", "conversations.json")
    else:
        path.write_text(json.dumps([CHAT]))
    (found,) = find_in_stream(io.BytesIO(path.read_bytes()), "-")

    assert isinstance(found, Candidate)


def test_files_in_an_unknown_form_alone_are_a_loss(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("chats.json", '[{"lines": ["dear diary"]}]')
    found = imports_of(tmp_path / "a.zip")

    assert found.lost == ["a.zip, chats.json: file without a conversation in a form that is known"]
