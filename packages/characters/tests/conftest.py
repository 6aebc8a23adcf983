import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import NewKey, Parts, new_key_in, serving
from idolchat_characters import plugin
from idolchat_characters.library import CharacterLibrary, library_of
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

CARDS = Path(__file__).parent / "cards"

type Chunk = tuple[bytes, bytes]
type Headers = dict[str, str]
WORDS = "Operator's words."


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn waits for its prompt's sources, and they for lore, on a busy machine, too."""
    monkeypatch.setattr("idolchat_core.turns.prompting.SOURCE_TIMEOUT_S", 10.0)
    monkeypatch.setattr("idolchat_characters.prompt.source.PATIENCE_S", 10.0)
    monkeypatch.setattr("idolchat_characters.scanning.branch_states.PATIENCE_S", 10.0)


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


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


@pytest.fixture
def library(storage: InMemoryStorage) -> CharacterLibrary:
    return library_of(storage)


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
async def client(
    tmp_path: Path, storage: InMemoryStorage, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[httpx.AsyncClient]:
    monkeypatch.setenv("IDOLCHAT_CHARACTERS_STARTER", "false")
    settings = ApiSettings(
        data_dir=tmp_path / "data", shutdown_grace_s=5, plugins=(), auth="api-key", system_prompt=WORDS
    )
    plugins = [Parts(storage, provider), plugin]
    async with serving(settings, plugins=plugins) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
def new_key(storage: InMemoryStorage) -> NewKey:
    """Makes an API key, and the header that carries it."""
    return new_key_in(storage)


@pytest.fixture
async def ana(new_key: NewKey) -> Headers:
    return await new_key(user_id=uuid4())


@pytest.fixture
async def ben(new_key: NewKey) -> Headers:
    return await new_key(user_id=uuid4())


@pytest.fixture
async def operator(new_key: NewKey) -> Headers:
    return await new_key("admin")
