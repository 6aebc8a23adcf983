"""Commands and a server that change one character at the same moment lose nothing of each other's."""

import asyncio
from collections.abc import Callable

import pytest

from tests.support.idol import idol_json
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer

CHANGES = 40
SET = ("nickname", "creator", "scenario", "personality")

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
        address, environment = f"/characters/{made['id']}", {"IDOLCHAT_DATA_DIR": str(server.data)}

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
