"""The guide to PostgreSQL and many servers does what it says."""

import os
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from idolchat_storage_postgres.testing import running_postgres
from tests.conftest import KEY
from tests.support.idol import idol
from tests.support.mock_openrouter.fixture import Mock
from tests.support.pages import blocks
from tests.support.starting import StartServer

PAGE = "docs/how-to/many-servers.md"


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with running_postgres() as server:
        yield server.make_database("idolchat")


def commands(language: str = "sh") -> dict[str, list[str]]:
    """Return the lines of the guide that call ``idol``, by the words behind it."""
    lines = [line.split("#")[0].split() for block in blocks(PAGE, language) for line in block.text.splitlines()]
    return {" ".join(words[1:3]): words[1:] for words in lines if words[:1] == ["idol"]}


def test_what_was_local_comes_along_and_every_server_has_it(
    start_server: StartServer, mock_openrouter: Mock, database: str
) -> None:
    model = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": mock_openrouter.base_url, "IDOLCHAT_MODEL": "mock/echo"}
    shared = {"IDOLCHAT_STORAGE": "postgres", "IDOLCHAT_POSTGRES_URL": database}
    plugins = {"IDOLCHAT_PLUGINS": "storage-local,storage-postgres,llm-openrouter,bus-redis"}
    conversation_id = str(uuid4())
    body = {"messages": [{"role": "user", "content": "Hello"}], "conversation_id": conversation_id}
    alone = start_server(**model, **plugins, IDOLCHAT_STORAGE="local")
    httpx.post(f"{alone.url}/chat", json=body, timeout=60).raise_for_status()
    alone.stop()
    environment = {**os.environ, **model, **plugins, "IDOLCHAT_POSTGRES_URL": database}
    migrated = idol(alone.folder, *commands()["storage migrate"], environment=environment)
    servers = [start_server(**model, **plugins, **shared) for _ in range(2)]
    pages = [httpx.get(f"{server.url}/conversation/{conversation_id}", timeout=60).json() for server in servers]
    listed = idol(alone.folder, *commands()["instances list"], environment=environment | shared)
    upgraded = idol(alone.folder, *commands()["storage upgrade"], environment=environment | shared)

    assert migrated.returncode == 0, migrated.stderr
    assert [page["messages"][0]["content"] for page in pages] == ["Hello", "Hello"]
    heading, *rows = listed.stdout.splitlines()
    assert heading.split() == blocks(PAGE, "text")[0].text.splitlines()[0].split()
    assert [row.split()[3] for row in rows] == ["alive", "alive"]
    assert upgraded.returncode == 0, upgraded.stderr
