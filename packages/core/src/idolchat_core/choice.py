"""Which parts the settings choose; and the storage among them opened, for whoever needs no turns."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from idolchat_core.coordination.contract import Bus
from idolchat_core.errors import ConfigurationError
from idolchat_core.mirror import MirrorMode, MirrorTuning, ServerNotes, open_mirrored, open_tracked
from idolchat_core.plugins.loader import Plugins
from idolchat_core.settings import CoreSettings
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.data_lock import is_served

__all__ = ["choose_llm", "choose_storages", "is_shared", "open_bus", "open_storage"]

log = logging.getLogger(__name__)

SERVER_MAY_TAKE_S = 10.0


def choose_storages(settings: CoreSettings, plugins: Plugins) -> tuple[str, ...]:
    """Name the primary storage and then its mirrors. Raises ``ConfigurationError``.

    Without ``IDOLCHAT_STORAGE``: ``local`` where it is installed, else the only one there is; mirrored to those
    whose own settings ask for it.
    """
    if settings.storage:
        chosen = settings.storage
    else:
        installed = list(plugins.storages)
        if "local" not in installed and len(installed) != 1:
            raise ConfigurationError(
                f"IDOLCHAT_STORAGE is not set and there is no storage to take; installed:"
                f" {', '.join(installed) or 'none'}. Install idolchat-storage-local, or name one in IDOLCHAT_STORAGE"
            )
        primary = "local" if "local" in installed else installed[0]
        chosen = (primary, *(name for name in plugins.storages.asked_for() if name != primary))
    _check_names("IDOLCHAT_STORAGE", chosen, list(plugins.storages))
    if len(set(chosen)) < len(chosen):
        raise ConfigurationError(f"IDOLCHAT_STORAGE names a storage twice: {', '.join(chosen)}; name each once")
    return chosen


def is_shared(settings: CoreSettings, plugins: Plugins) -> bool:
    """Return whether several processes may serve the chosen storage at once. Raises as ``choose_storages``."""
    return plugins.storages.is_shared(choose_storages(settings, plugins)[0])


def choose_llm(settings: CoreSettings, plugins: Plugins) -> str:
    """Name the provider. Raises ``ConfigurationError``.

    Without ``IDOLCHAT_LLM``: the one whose own settings ask for it, else ``local``.
    """
    installed = list(plugins.llm_providers)
    asked_for = plugins.llm_providers.asked_for()
    if settings.llm:
        chosen = settings.llm
    elif len(asked_for) > 1:
        raise ConfigurationError(f"several LLM providers are set up ({', '.join(asked_for)}): name one in IDOLCHAT_LLM")
    elif asked_for:
        chosen = asked_for[0]
    elif "local" in installed:
        chosen = "local"
    else:
        raise ConfigurationError(
            f"no LLM provider to take; installed: {', '.join(installed) or 'none'}. Set OPENROUTER_API_KEY, or"
            " OPENROUTER_BASE_URL for another server (idolchat-llm-openrouter), or install idolchat-llm-local[smollm2]"
        )
    _check_names("IDOLCHAT_LLM", (chosen,), installed)
    return chosen


@asynccontextmanager
async def open_bus(settings: CoreSettings, plugins: Plugins) -> AsyncGenerator[Bus | None]:
    """Open the bus that the settings name; None where they name none, and a shared storage brings its own.

    Raises ``ConfigurationError``, and what the bus raises when it cannot open.
    """
    if settings.bus is None:
        yield None
        return
    _check_names("IDOLCHAT_BUS", (settings.bus,), list(plugins.buses))
    storage = choose_storages(settings, plugins)[0]
    if not plugins.storages.is_shared(storage):
        raise ConfigurationError(
            f"IDOLCHAT_BUS is {settings.bus!r}, but one server alone serves the storage {storage!r} and has nobody to"
            " send to; unset IDOLCHAT_BUS, or set IDOLCHAT_STORAGE to a storage that several servers share"
        )
    async with plugins.buses.get(settings.bus)() as bus:
        yield bus


def _check_names(variable: str, names: tuple[str, ...], installed: list[str]) -> None:
    for name in names:
        if name not in installed:
            raise ConfigurationError(f"{variable} names {name!r}; installed: {', '.join(installed) or 'none'}")


@asynccontextmanager
async def open_storage(
    settings: CoreSettings, plugins: Plugins, *, mode: MirrorMode = MirrorMode.RECORD
) -> AsyncGenerator[tuple[str, Storage]]:
    """Open the chosen storage, mirrored where there are mirrors, and yield the name of the primary with it.

    Its changes are noted for the registered observers, and for a server that runs on the same data.

    Raises ``ConfigurationError``, and what the storage raises when it cannot open.
    """
    name, *mirrors = choose_storages(settings, plugins)
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(plugins.storages.get(name)())
        _check_shared(name, storage, plugins)
        # Changes of a shared storage are told by itself; see ``SharedFeed``.
        observers = [] if storage.is_shared else list(plugins.change_observers)
        server = None
        if mode is not MirrorMode.REPLICATE and is_served(settings.data_dir) and not storage.is_shared:
            server = ServerNotes(storage, mode=mode)
        if mirrors:
            factories = {mirror: plugins.storages.get(mirror) for mirror in mirrors}
            tuning = MirrorTuning(bytes_per_s=settings.mirror_bytes_per_s)
            mirrored = open_mirrored(
                storage,
                factories,
                records=frozenset(plugins.mirrored_records),
                observers=observers,
                server=server,
                mode=mode,
                tuning=tuning,
            )
            storage = await stack.enter_async_context(mirrored)
        elif observers or server:
            storage = open_tracked(storage, observers, server=server, mode=mode)
        yield name, storage
        if server is not None:
            await _await_server(server, settings)


def _check_shared(name: str, storage: Storage, plugins: Plugins) -> None:
    if storage.is_shared != plugins.storages.is_shared(name):
        raise ConfigurationError(
            f"{plugins.storages.origin(name)} registers the storage {name!r} with"
            f" is_shared={not storage.is_shared}, and it says {storage.is_shared} of itself; one of them is wrong"
        )


async def _await_server(server: ServerNotes, settings: CoreSettings) -> None:
    """Wait a few seconds until the server has acted on changes made beside it; else it does so when it starts."""
    waiting = asyncio.ensure_future(server.followed())
    ends_at = time.monotonic() + SERVER_MAY_TAKE_S
    try:
        while not waiting.done() and time.monotonic() < ends_at and is_served(settings.data_dir):
            await asyncio.wait({waiting}, timeout=0.2)
        if not waiting.done():
            log.warning("the server on this data has not taken note of the changes yet, and does as soon as it can")
    finally:
        waiting.cancel()
        await asyncio.wait({waiting})
