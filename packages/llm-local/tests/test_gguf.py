"""Heads of GGUF files, whole and damaged."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_llm_local.gguf import GGUFHeader, NotGGUF, read_header


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _entry(key: str, kind: int, value: bytes) -> bytes:
    return _text(key) + struct.pack("<I", kind) + value


def _file(*entries: bytes, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(entries)) + b"".join(entries)


LANGUAGES = _entry("general.languages", 9, struct.pack("<IQ", 8, 2) + _text("en") + _text("de"))
SCORES = _entry("general.scores", 9, struct.pack("<IQ", 6, 2) + struct.pack("<ff", 0.5, 1.5))
ARCHITECTURE = _entry("general.architecture", 8, _text("llama"))
LENGTH = _entry("llama.context_length", 4, struct.pack("<I", 2048))
WHOLE = _file(LANGUAGES, ARCHITECTURE, SCORES, LENGTH)


def _read(data: bytes) -> GGUFHeader:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        path.write_bytes(data)
        return read_header(path)


@pytest.mark.parametrize(
    "entries", [(ARCHITECTURE, LENGTH), (LENGTH, ARCHITECTURE), (LANGUAGES, SCORES, ARCHITECTURE, LENGTH)]
)
def test_the_context_length_is_found_wherever_it_stands(entries: tuple[bytes, ...]) -> None:
    assert _read(_file(*entries)) == GGUFHeader("llama", 2048)


def test_a_model_may_not_tell_its_context_length() -> None:
    assert _read(_file(ARCHITECTURE)) == GGUFHeader("llama", None)


def test_nothing_after_the_length_is_read() -> None:
    assert _read(_file(ARCHITECTURE, LENGTH, b"a vocabulary")) == GGUFHeader("llama", 2048)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (b"hello", "it begins with b'hell'"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "git lfs pull"),
        (_file(version=1), "version 1"),
        (_file(_entry("a.nested.array", 9, struct.pack("<IQ", 9, 1))), "damaged"),
        (_file(_entry("of.no.kind", 13, b"")), "damaged"),
        (_file(_text("a.huge.string") + struct.pack("<IQ", 8, 1 << 62)), "damaged"),
    ],
)
def test_what_it_is_instead_is_told(data: bytes, why: str) -> None:
    with pytest.raises(NotGGUF, match=why):
        _read(data)


@pytest.mark.parametrize("size", range(len(WHOLE)))
def test_a_file_cut_at_any_byte_is_told_from_a_whole_one(size: int) -> None:
    with pytest.raises(NotGGUF):
        _read(WHOLE[:size])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(NotGGUF):
        assert _read(b"GGUF" + struct.pack("<IQQ", 3, 0, 4) + data).architecture
