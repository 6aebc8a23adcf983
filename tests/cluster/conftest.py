"""Servers that share a PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from idolchat_storage_postgres.testing import PostgresServer, running_postgres
from tests.support.cluster import Cluster, running_cluster
from tests.support.mock_openrouter.fixture import Mock
from tests.support.zygote import Zygote


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL."""
    with running_postgres(options=["max_connections=300"]) as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL that may fail, and must keep what it has acknowledged."""
    with running_postgres(options=["max_connections=200"], fsync=True) as server:
        yield server


@pytest.fixture
def own_cluster(
    tmp_path: Path, forking: Zygote, own_postgres: PostgresServer, mock_openrouter: Mock
) -> Iterator[Cluster]:
    with running_cluster(tmp_path, forking, own_postgres, OPENROUTER_BASE_URL=mock_openrouter.base_url) as cluster:
        yield cluster


@pytest.fixture
def cluster(tmp_path: Path, forking: Zygote, postgres: PostgresServer, mock_openrouter: Mock) -> Iterator[Cluster]:
    """Run three servers behind nginx."""
    with running_cluster(tmp_path, forking, postgres, OPENROUTER_BASE_URL=mock_openrouter.base_url) as cluster:
        yield cluster
