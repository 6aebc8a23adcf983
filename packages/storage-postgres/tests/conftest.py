"""A PostgreSQL for the session, and a database of its own for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from itertools import count

import pytest
from postgres_processes import OpenProcess, Process, a_process

from idolchat_storage_postgres.coordination.member import Timing
from idolchat_storage_postgres.database import Session
from idolchat_storage_postgres.migrations import upgrade_schema
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.storage import PostgresStorage, open_postgres_storage
from idolchat_storage_postgres.testing import PostgresServer, running_postgres

_NUMBERS = count()
_TEMPLATE = "with_schema"


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL."""
    with running_postgres(options=["max_connections=200"]) as server:
        yield server


@pytest.fixture(scope="session")
def template(server: PostgresServer) -> str:
    """Make a database with the schema, which others are copied from."""

    async def fill() -> None:
        session = Session(settings_of(server.make_database(_TEMPLATE)))
        await upgrade_schema(await session.connection())
        await session.close()

    asyncio.run(fill())
    return _TEMPLATE


@pytest.fixture
def empty_database(server: PostgresServer) -> Iterator[str]:
    """Return the address of an empty database."""
    name = f"test_{next(_NUMBERS)}"
    yield server.make_database(name)
    server.drop_database(name)


@pytest.fixture
def database_url(server: PostgresServer, template: str) -> Iterator[str]:
    """Return the address of a database with the schema."""
    name = f"test_{next(_NUMBERS)}"
    yield server.make_database(name, template=template)
    server.drop_database(name)


def settings_of(url: str, **more: object) -> PostgresSettings:
    """Return the settings of a database."""
    return PostgresSettings.model_validate({"url": url, **more})


@pytest.fixture
async def storage(database_url: str) -> AsyncGenerator[PostgresStorage]:
    """Open a storage on a database of its own."""
    async with open_postgres_storage(settings_of(database_url)) as storage:
        yield storage


@pytest.fixture
async def open_process(database_url: str) -> AsyncGenerator[OpenProcess]:
    """Return a function that starts a further process on the database."""
    async with AsyncExitStack() as stack:

        async def start(**timing: Timing) -> Process:
            return await stack.enter_async_context(a_process(database_url, **timing))

        yield start


@pytest.fixture
async def process(open_process: OpenProcess) -> Process:
    """Start a process."""
    return await open_process()
