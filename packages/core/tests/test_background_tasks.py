"""Tasks that outlive what they raise."""

import asyncio
import logging

import pytest

from idolchat_core import background_tasks
from idolchat_core.background_tasks import BackgroundTasks


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_tasks, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(background_tasks, "SOUND_AFTER_S", 0.01)


async def test_a_task_that_raises_is_logged_with_its_traceback_and_started_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks, worked, attempts = BackgroundTasks(), asyncio.Event(), iter([RuntimeError("a fault of ours"), None])

    async def work() -> None:
        if error := next(attempts):
            raise error
        worked.set()

    with caplog.at_level(logging.ERROR):
        tasks.start("saver", work)
        await worked.wait()
        await tasks.close()

    [record] = caplog.records
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "a fault of ours"


async def test_a_task_counts_as_failing_until_it_has_run_for_a_while() -> None:
    tasks, failed, recovered, seen = BackgroundTasks(), asyncio.Event(), asyncio.Event(), list[object]()

    async def work() -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError
        seen.append(dict(tasks.failing))
        while tasks.failing:  # noqa: ASYNC110  nothing tells of it but this
            await asyncio.sleep(0)
        recovered.set()
        await asyncio.Event().wait()

    tasks.start("saver", work)
    await recovered.wait()

    assert seen == [{"saver": "it failed with RuntimeError; the log says more"}]
    assert tasks.failing == {}
    await tasks.close()


async def test_closing_ends_every_task() -> None:
    tasks, ended = BackgroundTasks(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tasks.start("watch", work)
    await asyncio.sleep(0)
    await tasks.close()

    assert ended.is_set()
