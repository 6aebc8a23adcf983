"""The index and recall, opened by settings and shared by all who use them in a process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from idolchat_core import ConfigurationError, MemoryIndex, Storage, read_settings
from idolchat_memory.choices import MemoryChoices
from idolchat_memory.recall import Recall
from idolchat_memory.settings import MemorySettings
from idolchat_memory.sqlite import open_sqlite_index
from idolchat_memory.terms import ANALYSIS

if TYPE_CHECKING:
    from idolchat_memory.semantic import LateInteraction

__all__ = ["Memory", "current_memory", "load_late_interaction", "memory_of", "open_index", "open_memory"]

log = logging.getLogger(__name__)

_NEEDED = ("numpy", "onnxruntime", "tokenizers")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What is open. ``late_interaction`` encodes in the background; ``lexical_reason`` says why there is none."""

    settings: MemorySettings
    storage: Storage
    index: MemoryIndex
    recall: Recall
    choices: MemoryChoices
    late_interaction: LateInteraction | None
    lexical_reason: str | None


@asynccontextmanager
async def open_memory(settings: MemorySettings, storage: Storage) -> AsyncGenerator[Memory]:
    """Open the index, and the model where it is wanted.

    Raises ``ConfigurationError`` when late interaction must be on and cannot be, ``StorageUnavailable``.
    """
    late_interaction, reason = await asyncio.to_thread(load_late_interaction, settings)
    async with open_index(settings, storage) as index:
        yield Memory(
            settings=settings,
            storage=storage,
            index=index,
            recall=Recall(index, reranker=late_interaction),
            choices=MemoryChoices(storage),
            late_interaction=late_interaction,
            lexical_reason=reason,
        )


def open_index(settings: MemorySettings, storage: Storage) -> AbstractAsyncContextManager[MemoryIndex]:
    """Open the storage's own index, or that in the data folder. Raises ``StorageUnavailable``."""
    return storage.memory_index(ANALYSIS) or open_sqlite_index(settings.data_dir / "memory" / "index.sqlite")


@dataclass(slots=True)
class _Shared:
    users: int = 0
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    memory: Memory | None = None


_shared: WeakKeyDictionary[Storage, _Shared] = WeakKeyDictionary()


@asynccontextmanager
async def memory_of(storage: Storage) -> AsyncGenerator[Memory]:
    """Give the memory of a storage, the same to all who have it at once: the first opens it, the last closes it."""
    shared = _shared.setdefault(storage, _Shared())
    async with shared.opening:
        shared.users += 1
        try:
            if shared.memory is None:
                memory = open_memory(read_settings(MemorySettings), storage)
                shared.memory = await shared.stack.enter_async_context(memory)
        except BaseException:
            shared.users -= 1
            raise
    try:
        yield shared.memory
    finally:
        shared.users -= 1
        if not shared.users:
            shared.memory = None
            await shared.stack.aclose()


def current_memory(storage: Storage) -> Memory:
    """Return the memory of a storage that a server has open."""
    memory = _shared[storage].memory
    assert memory is not None  # noqa: S101 - its prompt source holds it open as long as routes are served
    return memory


def load_late_interaction(settings: MemorySettings) -> tuple[LateInteraction | None, str | None]:
    """Load the model where it is wanted and can be had, else tell why there is none. Raises ``ConfigurationError``."""
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
