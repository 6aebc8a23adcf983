"""The stand-in as a pytest fixture; import ``mock_supabase`` and ``mock_supabase_server`` into a conftest."""

from collections.abc import Iterator

import pytest

from tests.support.mock_supabase.server import MockSupabase

__all__ = ["mock_supabase", "mock_supabase_server"]


@pytest.fixture(scope="session")
def mock_supabase_server() -> Iterator[MockSupabase]:
    """Run one stand-in for all tests."""
    with MockSupabase() as mock:
        yield mock


@pytest.fixture
def mock_supabase(mock_supabase_server: MockSupabase) -> MockSupabase:
    """Return a stand-in that holds nothing, with the table and without a bucket."""
    mock_supabase_server.reset()
    return mock_supabase_server
