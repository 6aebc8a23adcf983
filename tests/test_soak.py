"""Nothing is left behind by requests, good or bad."""

from benchmarks.soak import SETTINGS, soak

from tests.support.mock_openrouter.fixture import Mock
from tests.support.starting import StartServer

REST_FILES, REST_TASKS = 24, 8
"""What comes and goes at rest: files that storage keeps open for a while, connections to the provider, a write."""


async def test_open_files_and_tasks_return_to_where_they_were(start_server: StartServer, mock_openrouter: Mock) -> None:
    server = start_server(**SETTINGS, OPENROUTER_BASE_URL=mock_openrouter.base_url)

    before, *_, after = await soak(server, count=500, at_once=16, conversations=20, samples=2)

    assert after.files <= before.files + REST_FILES
    assert after.tasks <= before.tasks + REST_TASKS
