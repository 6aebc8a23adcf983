"""The real `idol users export` and `erase` on what a user has of characters."""

import asyncio
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from idolchat_characters.books import books_of
from idolchat_characters.library import CharacterLibrary, CharacterRecord, Viewer, library_of
from idolchat_characters.library.access import OPERATOR
from idolchat_characters.personas import personas_of
from idolchat_characters.user_data import CharacterUserData
from idolchat_core import Storage
from idolchat_core.testing import InMemoryStorage
from idolchat_storage_local import open_local_storage
from idolchat_storage_local.settings import LocalSettings

IDOL = Path(sys.executable).with_name("idol")
CARD = Path(__file__).parent / "cards" / "31_v3_both.png"
ANA, BEN = uuid4(), uuid4()

type Idol = Callable[..., Any]


@pytest.fixture
def idol(tmp_path: Path) -> Idol:
    """Runs `idol` in a folder where nothing is configured, and returns what it prints as JSON."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "IDOLCHAT_PLUGINS": "characters,storage-local"}

    def run(*arguments: str) -> Any:
        command = [str(IDOL), *arguments, "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


async def fill(storage: Storage) -> None:
    """Give Ana and Ben a private character with a card, a public one, a persona and a lorebook each."""
    library = library_of(storage)
    for user_id in (ANA, BEN):
        await library.import_card(CARD.read_bytes(), Viewer(user_id=user_id))
        await library.create_from({"name": "Mika", "visibility": "public", "owner_id": user_id}, OPERATOR)
        await personas_of(storage).add(user_id, {"name": "Ana"})
        await books_of(storage).add(b'{"entries": []}', scope="user", user_id=user_id)


async def left_in(storage: Storage) -> dict[str, list[bytes | None]]:
    names = ("characters", "assets", "personas", "lorebooks", "lorebook-lists")
    return {
        namespace: [await storage.get_record(namespace, name) for name in await storage.list_records(namespace)]
        for namespace in names
    }


def test_a_user_is_exported_and_erased_with_cards_personas_and_lorebooks(idol: Idol, tmp_path: Path) -> None:
    async def with_storage[R](use: Callable[[Storage], Any]) -> Any:
        async with open_local_storage(LocalSettings(data_dir=tmp_path / "data")) as storage:
            return await use(storage)

    asyncio.run(with_storage(fill))
    idol("users", "export", str(ANA), "-o", "ana.zip")
    idol("users", "erase", str(ANA), "--yes")
    left = asyncio.run(with_storage(left_in))
    with zipfile.ZipFile(tmp_path / "ana.zip") as archive:
        exported = archive.namelist()
        cards = [archive.read(name) for name in exported if name.endswith(".png")]

    assert cards == [CARD.read_bytes()]
    assert {name.split("/")[1] for name in exported if "records/" in name} >= {"personas", "lorebooks"}
    assert str(ANA).encode() not in b"".join(value for values in left.values() for value in values if value)
    assert [len(left[namespace]) for namespace in ("characters", "personas", "lorebooks")] == [3, 1, 1]
    assert len(left["assets"]) == 3


async def character(library: CharacterLibrary, name: str) -> CharacterRecord | None:
    return await library.find(name, OPERATOR)


async def test_what_a_user_has_published_stays_and_is_nobodys() -> None:
    library = library_of(InMemoryStorage())
    fields = {"name": "Mika", "visibility": "public", "owner_id": ANA}
    public = await library.create_from(fields, OPERATOR)
    private = await library.create_from({"name": "Yui"}, Viewer(user_id=ANA))
    count = await CharacterUserData(library).erase(str(ANA))
    found = [await character(library, str(one.id)) for one in (public, private)]

    assert count == 2
    assert found[0] is not None
    assert (found[0].character.owner_id, found[0].character.visibility, found[1]) == (None, "public", None)


@pytest.mark.parametrize("user_id", [str(BEN), "a legacy id"], ids=["ben", "legacy"])
async def test_nobody_else_loses_anything(user_id: str) -> None:
    library = library_of(InMemoryStorage())
    mika = await library.create_from({"name": "Mika"}, Viewer(user_id=ANA))

    assert await CharacterUserData(library).erase(user_id) == 0
    assert await character(library, str(mika.id)) == mika
    assert isinstance(mika.character.owner_id, UUID)
