import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

CARDS = Path(__file__).parent / "cards"

type Chunk = tuple[bytes, bytes]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: Chunk) -> bytes:
    header = (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = (b"IDAT", zlib.compress(b"\0\x80"))
    written = [chunk(kind, data) for kind, data in (header, *chunks, pixels, (b"IEND", b""))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def card(spec: str = "chara_card_v2", **data: Any) -> dict[str, Any]:
    return {"spec": spec, "spec_version": f"{spec[-1]}.0", "data": {"name": "Aoi", "first_mes": "Hi", **data}}


@pytest.fixture
def read_sample() -> Callable[[str], bytes]:
    """Reads a file of the folder ``cards``."""
    return lambda name: (CARDS / name).read_bytes()


@pytest.fixture
def make_card() -> Callable[..., dict[str, Any]]:
    """Makes a card's document of the given fields of ``data``."""
    return card


@pytest.fixture
def make_json() -> Callable[..., bytes]:
    """Makes a card in JSON of the given fields of ``data``."""
    return lambda **data: json.dumps(card(**data)).encode()


@pytest.fixture
def make_png() -> Callable[..., bytes]:
    """Makes a PNG of one grey pixel with the given chunks."""
    return png


@pytest.fixture
def card_chunk() -> Callable[..., Chunk]:
    """Makes a chunk that holds a card as base64."""

    def make(keyword: str, document: dict[str, Any], kind: bytes = b"tEXt") -> Chunk:
        return kind, keyword.encode() + b"\0" + base64.b64encode(json.dumps(document).encode())

    return make


@pytest.fixture
def make_zip() -> Callable[[Mapping[str, bytes]], bytes]:
    """Makes a ZIP archive of deflated files."""

    def make(files: Mapping[str, bytes]) -> bytes:
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in files.items():
                archive.writestr(path, content)
        return written.getvalue()

    return make
