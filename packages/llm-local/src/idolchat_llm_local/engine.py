"""The model as it is needed: loaded ahead, in the background, and again after its process died."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from types import TracebackType
from typing import Self

from idolchat_core import ConfigurationError, IdolchatError, ProviderUnavailable
from idolchat_llm_local.process import LoadFailed, WorkerProcess
from idolchat_llm_local.weights import VARIABLE
from idolchat_llm_local.worker import WorkerConfig

__all__ = ["Engine"]

logger = logging.getLogger(__name__)

CHECK_WAITS_S = 3.0


class Engine:
    """Has a worker process for whoever asks; an async context manager that starts loading and returns at once."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config

    async def __aenter__(self) -> Self:
        self._loading = self._load()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loading.cancel()
        with suppress(asyncio.CancelledError, IdolchatError):
            await (await self._loading).close()

    async def worker(self) -> WorkerProcess:
        """Wait for a worker with its model loaded; one that died or failed to load is started again.

        Raises ``ConfigurationError`` when the model cannot be loaded, and ``ProviderUnavailable``.
        """
        if self._is_over():
            self._loading = self._load()
        return await asyncio.shield(self._loading)

    async def check(self) -> None:
        """Return when a worker could be asked, or started again; else raise what loading raised.

        Raises ``ProviderUnavailable`` when loading goes on for more than a few seconds.
        """
        done, _ = await asyncio.wait([self._loading], timeout=CHECK_WAITS_S)
        if not done:
            raise ProviderUnavailable(f"the local model is still loading from {self._config['path']}")
        self._loading.result()

    def _load(self) -> asyncio.Task[WorkerProcess]:
        loading = asyncio.create_task(self._started())
        loading.add_done_callback(_log_failure)
        return loading

    async def _started(self) -> WorkerProcess:
        try:
            return await WorkerProcess.start(self._config)
        except LoadFailed as error:
            raise ConfigurationError(
                f"{VARIABLE}: llama.cpp cannot load {self._config['path']}: {error}. Write the path of a GGUF file"
                " that is whole and of a kind it knows, or leave it unset"
            ) from error

    def _is_over(self) -> bool:
        if not self._loading.done():
            return False
        return self._loading.exception() is not None or not self._loading.result().is_alive


def _log_failure(loading: asyncio.Task[WorkerProcess]) -> None:
    if not loading.cancelled() and (error := loading.exception()):
        logger.error("local model not loaded", extra={"reason": str(error)})
