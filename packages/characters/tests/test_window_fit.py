"""A card that no prompt has room for is an error that says by how much."""

import httpx
import pytest

from idolchat_characters import Character
from idolchat_characters.checks import examine
from idolchat_characters.errors import CardTooLong
from idolchat_characters.library import library_of
from idolchat_characters.library.access import OPERATOR
from idolchat_characters.window_fit import check_fits, fits_provider, room_in
from idolchat_core import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

type Headers = dict[str, str]

LONG = "words " * 5_000
"""About 10,000 tokens; the model of the tests has room for 5,888 of 8,192."""


def test_the_error_names_the_longest_field_and_how_much_is_too_much() -> None:
    character = Character(name="Mika", description=LONG, scenario="Backstage.")

    with pytest.raises(CardTooLong, match=r"description: .* about 10,003 tokens .* room for 5,888 .*: 4,115 too many"):
        check_fits(character, 8_192, None)
    check_fits(character, 16_384, None)
    assert room_in(8_192) == 5_888


async def test_it_is_refused_at_import_and_in_a_change_of_its_texts_alone(
    client: httpx.AsyncClient, ana: Headers
) -> None:
    refused = await client.post("/characters", json={"name": "Mika", "description": LONG}, headers=ana)
    imported = await client.post("/characters/import", json={"name": "Mika", "scenario": LONG}, headers=ana)
    made = (await client.post("/characters", json={"name": "Mika"}, headers=ana)).json()
    path = f"/characters/{made['id']}"
    changed = await client.patch(path, json={"personality": LONG}, headers=ana)
    notes = await client.patch(path, json={"creator_notes": LONG}, headers=ana)

    assert [reply.status_code for reply in (refused, imported, changed, notes)] == [422, 422, 422, 200]
    assert [reply.json()["error"]["param"] for reply in (refused, imported, changed)] == [
        "description",
        "scenario",
        "personality",
    ]
    assert refused.json()["error"]["code"] == "card_too_long"


async def test_doctor_names_the_characters_that_do_not_fit() -> None:
    library, fits = library_of(InMemoryStorage()), fits_provider(ScriptedProvider(), CoreSettings(plugins=()))
    await library.create(Character(name="Ren", visibility="public"), OPERATOR)
    good = await examine(library, fits)
    await library.create(Character(name="Mika", description=LONG, visibility="public"), OPERATOR)
    bad = await examine(library, fits)

    assert [finding.status for finding in good] == ["ok"]
    assert [finding.status for finding in bad] == ["fail"]
    assert bad[0].message.startswith("mika: description: ")


async def test_doctor_names_the_records_that_cannot_be_read() -> None:
    storage = InMemoryStorage()
    library, fits = library_of(storage), fits_provider(ScriptedProvider(), CoreSettings(plugins=()))
    lost = await library.create(Character(name="Ren", visibility="public"), OPERATOR)
    await storage.put_record("characters", str(lost.id), b"{}")

    found = await examine(library, fits)

    assert [finding.status for finding in found] == ["fail"]
    assert f"idol characters delete {lost.id}" in found[0].message
