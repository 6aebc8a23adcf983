"""Tasks that run as long as their owner: one that fails is logged and started again, and its state can be asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

__all__ = ["BackgroundTasks"]

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
SOUND_AFTER_S = 5.0
"""How long a task must run again before it no longer counts as failing."""


class BackgroundTasks:
    """Supervised tasks, by name.

    What a task raises is a fault of ours or of a plugin, since whatever can be expected is handled inside. It is
    logged with its traceback, and the task is started again after a pause that doubles up to 30 seconds.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failing: dict[str, str] = {}

    @property
    def failing(self) -> Mapping[str, str]:
        """The tasks that do not do their work now, each with what is wrong."""
        return dict(self._failing)

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work`` until it returns, again and again where it raises."""
        self._tasks[name] = asyncio.create_task(self._supervised(name, work), name=name)

    async def close(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        self._tasks.clear()
        self._failing.clear()

    async def _supervised(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        pause_s = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            started_at = loop.time()
            sound = loop.call_later(SOUND_AFTER_S, self._failing.pop, name, None)
            try:
                await work()
            except Exception as error:  # whatever it is, the task must not end of it in silence
                log.exception("a background task failed and is started again", extra={"task": name})
                self._failing[name] = f"it failed with {type(error).__name__}; the log says more"
            else:
                self._failing.pop(name, None)
                return
            finally:
                sound.cancel()
            if loop.time() - started_at > SOUND_AFTER_S:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
