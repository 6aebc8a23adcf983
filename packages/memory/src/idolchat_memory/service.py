"""The index and recall, opened by settings and shared by all who use them in a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from weakref import WeakKeyDictionary

from idolchat_core import ConfigurationError, MemoryIndex, Storage, read_settings
from idolchat_memory.agreement import Agreement
from idolchat_memory.choices import MemoryChoices
from idolchat_memory.groups import KNOWN_S, GroupScopes
from idolchat_memory.lazy_model import LazyModel
from idolchat_memory.recall import Recall
from idolchat_memory.settings import MemorySettings
from idolchat_memory.sqlite import SqliteMemoryIndex, open_sqlite_index
from idolchat_memory.terms import ANALYSIS

__all__ = ["Memory", "current_memory", "find_model", "memory_of", "open_index", "open_memory", "problem_of"]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What is open. Without a ``model`` words alone count, and ``no_model`` says why."""

    settings: MemorySettings
    storage: Storage
    index: MemoryIndex
    recall: Recall
    choices: MemoryChoices
    groups: GroupScopes
    model: LazyModel | None
    no_model: str | None
    agreement: Agreement = field(default_factory=Agreement)

    @property
    def is_shared(self) -> bool:
        """Whether all servers of the storage have the same index."""
        return _is_shared(self.index, self.storage)

    @property
    def lexical_reason(self) -> str | None:
        """Why words alone count; None where meaning does, too."""
        return self.model.problem if self.model else self.no_model


@asynccontextmanager
async def open_memory(settings: MemorySettings, storage: Storage) -> AsyncGenerator[Memory]:
    """Open the index, and see to the model where it is wanted.

    Raises ``ConfigurationError`` when late interaction must be on and cannot be, ``StorageUnavailable``.
    """
    model, no_model = find_model(settings)
    if (wanted_by := settings.model_wanted_by) is not None and (problem := await problem_of(model, no_model)):
        raise ConfigurationError(f"{wanted_by} asks for the model of memory, and {problem}")
    try:
        async with open_index(settings, storage) as index:
            yield Memory(
                settings=settings,
                storage=storage,
                index=index,
                recall=Recall(index, reranker=model),
                choices=MemoryChoices(storage),
                groups=GroupScopes(index, known_s=KNOWN_S if _is_shared(index, storage) else inf),
                model=model,
                no_model=no_model,
            )
    finally:
        if model is not None:
            await model.close()


def _is_shared(index: MemoryIndex, storage: Storage) -> bool:
    return storage.is_shared and not isinstance(index, SqliteMemoryIndex)


def find_model(settings: MemorySettings) -> tuple[LazyModel | None, str | None]:
    """Find the model where it is wanted, and load nothing yet; else tell why there is none."""
    if settings.semantic == "off":
        return None, "IDOLCHAT_MEMORY_SEMANTIC is off"
    try:
        return LazyModel(settings.model_path), None
    except ConfigurationError as error:
        return None, str(error)


async def problem_of(model: LazyModel | None, no_model: str | None) -> str | None:
    """Load the model, and return why it cannot be used; None where it can."""
    if model is None:
        return no_model
    try:
        await model.required()
    except ConfigurationError as error:
        return str(error)
    return None


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
    """Yield the memory of a storage, shared by all who use it at once: the first opens it, the last closes it."""
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
