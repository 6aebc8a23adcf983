"""What is installed from the wheels holds a conversation."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.talk import say
from tests.wheels.environment import Environment


def serving(environment: Environment, folder: Path, mock: Mock, **settings: str) -> Server:
    """Prepare a server of that environment, with models of the mock."""
    variables = {"OPENROUTER_BASE_URL": mock.base_url, "OPENROUTER_API_KEY": "sk-or-v1-test", **settings}
    command = (str(environment.python), "-I", "-m", "idolchat_api")
    return Server(folder, {"IDOLCHAT_MODEL": "mock/echo", **variables}, command=command)


async def remembers(server: Server, mock: Mock) -> None:
    first = await say("rest", server, "My name is Anna.")
    server.restart()
    await say("sse", server, "What is my name?", conversation_id=first.conversation_id)

    sent = [message["content"] for message in mock.bodies()[-1]["messages"]]
    assert sent == ["My name is Anna.", first.text, "What is my name?"]


async def test_a_clean_install_talks_and_remembers(server: Environment, mock_openrouter: Mock, tmp_path: Path) -> None:
    with serving(server, tmp_path, mock_openrouter) as running:
        await remembers(running, mock_openrouter)


async def test_a_third_partys_storage_keeps_conversations(
    install: Callable[..., Environment], mock_openrouter: Mock, tmp_path: Path
) -> None:
    environment = install("idolchat-api", "idolchat-llm-openrouter", "idolchat-storage-sqlite")
    with serving(environment, tmp_path, mock_openrouter) as running:
        await remembers(running, mock_openrouter)

    assert (tmp_path / "data" / "idolchat.sqlite").stat().st_size > 0
    assert "idolchat-storage-local" not in environment.distributions()


async def test_a_third_partys_routes_and_page_are_served(
    install: Callable[..., Environment], mock_openrouter: Mock, tmp_path: Path
) -> None:
    environment = install("idolchat-api", "idolchat-llm-openrouter", "idolchat-storage-local", "idolchat-notes")
    with serving(environment, tmp_path, mock_openrouter) as running:
        async with httpx.AsyncClient(base_url=running.url, timeout=60, follow_redirects=True) as client:
            page = await client.get("/notes-page")
            script = await client.get("/notes-page/notes.js")
            kept = (await client.post("/notes", json={"text": "Likes tea."})).json()
            read = await client.get(f"/notes/{kept['id']}")
            unknown = await client.get("/notes/x")
            reference = await client.get("/docs/swagger-ui-bundle.js")

    assert "<title>Notes</title>" in page.text
    assert "fetch" in script.text
    assert (read.json()["text"], unknown.status_code, reference.status_code) == ("Likes tea.", 404, 200)


async def test_a_third_partys_characters_speak_first(
    install: Callable[..., Environment], mock_openrouter: Mock, tmp_path: Path
) -> None:
    environment = install("idolchat-api", "idolchat-llm-openrouter", "idolchat-storage-local", "idolchat-cast")
    (tmp_path / "cast.json").write_text(
        '{"mika": {"name": "Mika", "says": ["Hi! I am Mika."], "options": {"top_p": 0.9}}}'
    )
    with serving(environment, tmp_path, mock_openrouter) as running:
        async with running.client() as client:
            begun = (await client.post("/conversations", json={"character_id": "mika"})).json()
        await say("rest", running, "I am Ada.", conversation_id=begun["id"])

    body = mock_openrouter.bodies()[-1]
    assert [message["content"] for message in body["messages"]] == ["Hi! I am Mika.", "I am Ada."]
    assert body["top_p"] == 0.9


@pytest.mark.parametrize(
    ("distribution", "example"),
    [
        ("idolchat-storage-sqlite", "storage-sqlite"),
        ("idolchat-absence", "prompt-source"),
        ("idolchat-cast", "character-directory"),
    ],
)
async def test_a_third_partys_plugin_passes_its_kit(
    install: Callable[..., Environment], distribution: str, example: str
) -> None:
    environment = install(distribution, "idolchat-core[testing]", "hypothesis")
    tests = Path(__file__).parents[2] / "examples" / example / "tests"

    environment.run(environment.python, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", str(tests))


async def test_a_third_partys_observer_follows_a_server_and_passes_the_kit(
    install: Callable[..., Environment], mock_openrouter: Mock, tmp_path: Path
) -> None:
    names = ("idolchat-llm-openrouter", "idolchat-storage-local", "idolchat-activity", "idolchat-core[testing]")
    environment = install("idolchat-api", *names, "hypothesis")
    with serving(environment, tmp_path, mock_openrouter) as running:
        first = await say("rest", running, "My name is Anna.")
        running.stop()
    with closing(sqlite3.connect(tmp_path / "activity.sqlite")) as file:
        counted = file.execute("SELECT id, messages FROM activity").fetchall()
    tests = Path(__file__).parents[2] / "examples" / "change-observer" / "tests"
    environment.run(environment.python, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", str(tests))

    assert counted == [(first.conversation_id, 2)]


async def test_a_page_is_served_where_it_is_installed_and_nowhere_else(
    install: Callable[..., Environment], server: Environment, mock_openrouter: Mock, tmp_path: Path
) -> None:
    served = ["idolchat-api", "idolchat-llm-openrouter", "idolchat-storage-local", "idolchat-web"]
    pages = []
    for name, environment in (("without", server), ("with", install(*served))):
        (tmp_path / name).mkdir()
        with serving(environment, tmp_path / name, mock_openrouter) as running:
            async with httpx.AsyncClient(base_url=running.url, timeout=60, headers={"Accept": "text/html"}) as client:
                pages.append((await client.get("/")).text)

    assert ["<script" in page for page in pages] == [False, True]
