"""Commands and a server that change one character at the same moment lose nothing of each other's."""

import asyncio
import json
from collections.abc import Callable

import pytest

from tests.support.idol import idol, idol_json
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer

CHANGES = 40
SET = ("nickname", "creator", "scenario", "personality")
MIKA = {"name": "Mika", "first_mes": "Hello, {{user}}!"}

type Start = Callable[[], Server]


@pytest.fixture
def start(start_server: StartServer, mock_openrouter_process: Mock) -> Start:
    """Return a function that starts a server."""
    return lambda: start_server(
        OPENROUTER_API_KEY="sk-or-v1-canary", OPENROUTER_BASE_URL=mock_openrouter_process.base_url
    )


async def test_no_change_of_a_character_is_lost_between_a_server_and_commands(start: Start) -> None:
    server = start()
    async with server.client() as client:
        made = (await client.post("/characters", json={"name": "Mika"})).json()
        address, environment = f"/characters/{made['id']}", server.places

        async def edit(field: str) -> None:
            arguments = ("characters", "edit", made["id"], "--set", f"{field}={field}")
            await asyncio.to_thread(idol_json, server.folder, *arguments, environment=environment)

        commands = asyncio.gather(*map(edit, SET))
        patched = 0
        while patched < CHANGES or not commands.done():
            answer = await client.patch(address, json={"description": str(patched)})
            assert answer.status_code == 200, answer.text
            patched += 1
        await commands
        stored = (await client.get(address)).json()

    assert stored["version"] == 1 + patched + len(SET)
    assert {field: stored["character"][field] for field in SET} == {field: field for field in SET}
    assert stored["character"]["description"] == str(patched - 1)


async def test_what_a_command_has_made_is_known_at_once_where_a_conversation_begins(start: Start) -> None:
    server = start()
    environment = server.places
    card = server.folder / "mika.json"
    card.write_text(json.dumps({"spec": "chara_card_v3", "spec_version": "3.0", "data": MIKA}))
    async with server.client() as client:
        first = await client.post("/conversations", json={"character_id": "lumi"})  # reads all that there is now
        await asyncio.to_thread(idol, server.folder, "characters", "import", str(card), environment=environment)
        await asyncio.to_thread(idol, server.folder, "personas", "add", "Anna", environment=environment)
        begun = await client.post("/conversations", json={"character_id": "mika"})

    assert first.status_code == 201, first.text
    assert begun.status_code == 201, begun.text
    assert begun.json()["messages"][0]["content"] == "Hello, Anna!"
