"""The index and recall, opened by settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from idolchat_core import ConfigurationError
from idolchat_memory.contract import MemoryIndex
from idolchat_memory.recall import Recall
from idolchat_memory.settings import MemorySettings
from idolchat_memory.sqlite import open_sqlite_index

if TYPE_CHECKING:
    from idolchat_memory.semantic import LateInteraction

__all__ = ["Memory", "open_memory"]

log = logging.getLogger(__name__)

_NEEDED = ("numpy", "onnxruntime", "tokenizers")


@dataclass(frozen=True)
class Memory:
    """What is open. ``late_interaction`` encodes in the background; ``lexical_reason`` says why there is none."""

    index: MemoryIndex
    recall: Recall
    late_interaction: LateInteraction | None
    lexical_reason: str | None


@asynccontextmanager
async def open_memory(settings: MemorySettings) -> AsyncGenerator[Memory]:
    """Open the index in the data folder, and the model where it is wanted.

    Raises ``ConfigurationError`` when late interaction must be on and cannot be, ``StorageUnavailable``.
    """
    late_interaction, reason = await asyncio.to_thread(_late_interaction, settings)
    async with open_sqlite_index(settings.data_dir / "memory" / "index.sqlite") as index:
        yield Memory(index, Recall(index, reranker=late_interaction), late_interaction, reason)


def _late_interaction(settings: MemorySettings) -> tuple[LateInteraction | None, str | None]:
    if settings.semantic == "off":
        return None, "IDOLCHAT_MEMORY_SEMANTIC is off"
    try:
        return _load(settings), None
    except ConfigurationError as error:
        if settings.semantic == "on":
            raise
        log.warning("memory goes by words alone", extra={"reason": str(error)})
        return None, str(error)


def _load(settings: MemorySettings) -> LateInteraction:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError(f"{', '.join(missing)} missing: pip install 'idolchat-memory[semantic]'")
    from idolchat_memory.semantic import LateInteraction  # noqa: PLC0415 - needs the extra

    return LateInteraction.load(settings.model_path)
