"""A PostgreSQL for the session, and a database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from idolchat_storage_postgres.testing import PostgresServer, running_postgres

_NUMBERS = count()


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL."""
    with running_postgres(options=["max_connections=200"]) as server:
        yield server


@pytest.fixture
def empty_database(server: PostgresServer) -> Iterator[str]:
    """Give the address of an empty database."""
    name = f"test_{next(_NUMBERS)}"
    yield server.make_database(name)
    server.drop_database(name)
