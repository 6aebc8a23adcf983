"""The character that comes with idolchat: her card, and the server that begins with her."""

import json
from pathlib import Path
from uuid import uuid4

from idolchat_characters.cards import read_card, validate
from idolchat_characters.library import CharacterLibrary, Viewer, library_of
from idolchat_characters.library.access import OPERATOR
from idolchat_characters.prompt import open_character_source
from idolchat_characters.settings import CharactersSettings
from idolchat_characters.starter import starter_card
from idolchat_core import CoreSettings, Services
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

ART = Path(__file__).parents[2] / "art"


async def start(storage: InMemoryStorage) -> CharacterLibrary:
    services = Services(storage=storage, provider=ScriptedProvider(), settings=CoreSettings(plugins=()))
    async with open_character_source(services):
        return library_of(storage)


async def names(library: CharacterLibrary) -> list[str]:
    return [one.name for one in (await library.list(Viewer(user_id=uuid4()))).data]


def test_her_card_has_no_problem_and_is_the_one_that_is_drawn() -> None:
    written = json.loads((ART / "lumi.json").read_text())["data"]
    reading = read_card(starter_card())

    assert validate(starter_card()).problems == ()
    assert reading.character.model_dump(mode="json", include=set(written)) == written
    assert [asset.media_type for asset in reading.assets] == ["image/png"]


async def test_a_server_without_characters_begins_with_her() -> None:
    library = await start(InMemoryStorage())
    found = await library.find("lumi", Viewer(user_id=uuid4()))

    assert await names(library) == ["Lumi"]
    assert found is not None
    assert await library.asset(found, found.icon or "") is not None


async def test_deleted_she_stays_away() -> None:
    storage = InMemoryStorage()
    library = await start(storage)
    lumi = await library.find("lumi", OPERATOR)
    assert lumi is not None
    await library.delete(lumi)

    assert await names(await start(storage)) == []


async def test_a_server_that_has_a_character_gets_no_other() -> None:
    storage = InMemoryStorage()
    await library_of(storage).create_from({"name": "Mika", "visibility": "public"}, OPERATOR)

    assert await names(await start(storage)) == ["Mika"]


async def test_she_can_be_declined() -> None:
    library = CharacterLibrary(InMemoryStorage(), CharactersSettings(starter=False))

    assert await library.offer_starter() is None
