"""A mirror's storage, opened when it can be, and not waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import uniform

from idolchat_core.errors import ConfigurationError, IdolchatError, StorageError, StorageUnavailable
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.plugins.registry import Factory
from idolchat_core.storage.contract import Storage

__all__ = ["TIMEOUT_S", "MirrorConnection", "MirrorFailed", "of_mirror"]

log = logging.getLogger(__name__)

START_S = 5.0
"""How long a start waits to learn whether the mirror is set up rightly."""
CLOSE_S = 5.0
TIMEOUT_S = 120.0
"""For a storage that keeps no time itself."""


class MirrorFailed(Exception):
    """The mirror, and not the primary, did not do what was asked; ``error`` says why."""

    def __init__(self, error: IdolchatError) -> None:
        super().__init__(str(error))
        self.error = error


@asynccontextmanager
async def of_mirror() -> AsyncGenerator[None]:
    """Raise ``MirrorFailed`` for the mirror's errors, and for no answer within ``TIMEOUT_S``."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            yield
    except IdolchatError as error:
        raise MirrorFailed(error) from error
    except TimeoutError as error:
        raise MirrorFailed(StorageUnavailable(f"no answer within {TIMEOUT_S:g} seconds")) from error


class MirrorConnection:
    """Opens a storage in a task of its own, again and again where it is not to be had."""

    def __init__(self, name: str, factory: Factory[Storage], tuning: MirrorTuning) -> None:
        self._tuning = tuning
        self.name = name
        self._factory = factory
        self._storage: Storage | None = None
        self._error: IdolchatError | None = None
        self._tried = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def held_open(self, *, at_once: bool) -> AsyncGenerator[None]:
        """Open it, or with ``at_once`` false when it is first wanted; close it at the end.

        Raises ``ConfigurationError`` when that is what keeps it shut.
        """
        try:
            if at_once:
                await self.opened(within_s=START_S)
                if isinstance(self._error, ConfigurationError):
                    raise self._error
            yield
        finally:
            self._closing.set()
            if self._task is not None:
                await asyncio.wait({self._task}, timeout=CLOSE_S)
                self._task.cancel()
                await asyncio.wait({self._task})

    def get(self) -> Storage:
        """Return the storage. Raises ``StorageUnavailable`` while it is not open."""
        if self._storage is None:
            reason = self._error or "it has not answered yet"
            raise StorageUnavailable(f"the mirror {self.name} cannot be opened: {reason}") from self._error
        return self._storage

    async def opened(self, *, within_s: float) -> None:
        """Wait until the first attempt has succeeded or failed, so long at most."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_open())
        tried = asyncio.create_task(self._tried.wait())
        await asyncio.wait({tried}, timeout=within_s)
        tried.cancel()

    async def _keep_open(self) -> None:
        pause_s = self._tuning.first_pause_s
        while not self._closing.is_set():
            try:
                await self._open_once()
            except (StorageError, ConfigurationError) as error:
                if isinstance(error, ConfigurationError) and self._tried.is_set() and str(error) != str(self._error):
                    log.error("a mirror is not set up rightly", extra={"mirror": self.name, "reason": str(error)})
                self._error = error
            except Exception as error:  # a plugin's fault, whatever it is: the primary serves all the same
                log.exception("a mirror failed in a way it should not", extra={"mirror": self.name})
                self._error = StorageUnavailable(f"unexpected {type(error).__name__}")
            self._storage = None
            self._tried.set()
            closing = asyncio.create_task(self._closing.wait())
            await asyncio.wait({closing}, timeout=pause_s * uniform(0.5, 1))
            closing.cancel()
            pause_s = min(2 * pause_s, self._tuning.longest_pause_s)

    async def _open_once(self) -> None:
        async with self._factory() as storage:
            self._storage = storage
            self._error = None
            self._tried.set()
            await self._closing.wait()
            self._storage = None
