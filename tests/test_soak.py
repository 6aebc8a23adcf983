"""Nothing is left behind by requests, good or bad."""

from itertools import cycle, islice

import pytest
from benchmarks.soak import SETTINGS, Sample, soak, trends

from tests.support.mock_openrouter.fixture import Mock
from tests.support.starting import StartServer

REST_FILES, REST_TASKS = 24, 8
"""What comes and goes at rest: files that storage keeps open for a while, connections to the provider, a write."""


async def test_open_files_and_tasks_return_to_where_they_were(start_server: StartServer, mock_openrouter: Mock) -> None:
    server = start_server(**SETTINGS, OPENROUTER_BASE_URL=mock_openrouter.base_url)

    before, *_, after = await soak(server, count=500, at_once=16, conversations=20, samples=2)

    assert after.files <= before.files + REST_FILES
    assert after.tasks <= before.tasks + REST_TASKS


@pytest.mark.parametrize(
    ("memory_mb", "files", "tasks", "is_flat"),
    [
        (0.0, 0.0, 0.0, [True, True, True]),
        (0.2, 0.0, 0.0, [False, True, True]),
        (-0.2, -1.0, -1.0, [True, True, True]),
        (0.0, 1.0, 0.0, [True, False, True]),
        (0.0, 0.0, 1.0, [True, True, False]),
    ],
)
def test_what_rises_by_little_a_thousand_requests_shows_behind_what_comes_and_goes(
    memory_mb: float, files: float, tasks: float, is_flat: list[bool]
) -> None:
    comes_and_goes = list(islice(cycle([0, 7, -3, 2, -6]), 15))
    samples = [
        Sample(220 + at * memory_mb + noise / 10, 240, round(46 + at * files + noise), round(21 + at * tasks + noise))
        for at, noise in enumerate(comes_and_goes)
    ]

    assert [trend.is_flat for trend in trends(samples, every=1_000)] == is_flat
