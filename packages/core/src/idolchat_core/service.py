"""The parts, chosen by the settings and opened together."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from idolchat_core.background_tasks import BackgroundTasks
from idolchat_core.characters.contract import CharacterDirectory
from idolchat_core.characters.joined import JoinedDirectories
from idolchat_core.choice import choose_llm, open_bus, open_storage
from idolchat_core.conversations.user_data import forget_turns
from idolchat_core.coordination.contract import Coordination, SharedStorage
from idolchat_core.coordination.local import open_coordination
from idolchat_core.errors import StorageUnavailable
from idolchat_core.llm.contract import LLMProvider
from idolchat_core.mirror import MirroredStorage, MirrorMode, MirrorStatus, ServerInbox, SharedFeed, TrackedStorage
from idolchat_core.plugins.loader import Plugins
from idolchat_core.plugins.services import Services
from idolchat_core.prompt.sources import PromptSource
from idolchat_core.settings import CoreSettings
from idolchat_core.storage.contract import Storage
from idolchat_core.turns.engine import TurnEngine

__all__ = ["Service", "open_service"]

log = logging.getLogger(__name__)

TOLD_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything that serves conversations, open and ready."""

    settings: CoreSettings
    storage_name: str
    storage: Storage
    llm_name: str
    llm: LLMProvider
    services: Services
    coordination: Coordination
    turns: TurnEngine
    following: BackgroundTasks
    plugins: Plugins
    feeds: Sequence[SharedFeed] = ()

    @property
    def characters(self) -> CharacterDirectory:
        """All character directories as one."""
        return self.services.characters

    async def told(self, conversation_id: UUID) -> None:
        """Wait until all that rests on a conversation has followed its change, or a few seconds: it is queued then."""
        if isinstance(self.storage, TrackedStorage):
            await self.storage.told((conversation_id,), within_s=TOLD_WITHIN_S)

    @property
    def mirror(self) -> MirrorStatus:
        """How far the mirrors are behind."""
        return self.storage.status if isinstance(self.storage, MirroredStorage) else MirrorStatus()

    @property
    def failing(self) -> Mapping[str, str]:
        """The background tasks that do not do their work now, each with what is wrong; see ``BackgroundTasks``."""
        storage = self.storage.failing if isinstance(self.storage, TrackedStorage) else {}
        feeds = {name: why for feed in self.feeds for name, why in feed.failing.items()}
        return {**self.turns.failing, **self.following.failing, **storage, **feeds}


@asynccontextmanager
async def open_service(settings: CoreSettings, plugins: Plugins, *, recovers: bool = False) -> AsyncGenerator[Service]:
    """Open the chosen storage and provider, and the turn engine over them; close them in reverse.

    ``recovers``: see ``TurnEngine``. Raises ``ConfigurationError``, and what the parts raise when they cannot open.
    """
    llm_name = choose_llm(settings, plugins)
    mode = MirrorMode.REPLICATE if recovers else MirrorMode.PUSH
    async with (
        open_bus(settings, plugins) as bus,
        open_storage(settings, plugins, mode=mode) as (storage_name, storage),
        plugins.llm_providers.get(llm_name)() as llm,
        open_services(plugins, Services(storage=storage, provider=llm, settings=settings)) as services,
        open_prompt_sources(plugins, services) as sources,
        _telling_observers(plugins, services, is_server=recovers) as feeds,
        _without_deleted(storage, is_server=recovers),
        open_coordination(storage, bus) as coordination,
        TurnEngine(
            storage,
            llm,
            settings=settings,
            recovers=recovers,
            prompt_sources=sources,
            background=services.background,
            characters=services.characters,
            coordination=coordination,
        ) as turns,
        _following_commands(storage, turns, is_server=recovers) as following,
    ):
        if recovers and storage.caution:
            log.warning("the primary storage has a limit", extra={"storage": storage_name, "caution": storage.caution})
        yield Service(
            settings=settings,
            storage_name=storage_name,
            storage=storage,
            llm_name=llm_name,
            llm=llm,
            services=services,
            coordination=coordination,
            turns=turns,
            following=following,
            plugins=plugins,
            feeds=feeds,
        )


@asynccontextmanager
async def open_services(plugins: Plugins, services: Services) -> AsyncGenerator[Services]:
    """Open every registered character directory over storage and provider, and yield the services with them."""
    async with AsyncExitStack() as stack:
        registry = plugins.character_directories
        opened = {name: await stack.enter_async_context(registry.get(name)(services)) for name in registry}
        yield replace(services, characters=JoinedDirectories(opened))


@asynccontextmanager
async def open_prompt_sources(plugins: Plugins, services: Services) -> AsyncGenerator[Sequence[PromptSource]]:
    """Open every registered prompt source, in the order of their names."""
    async with AsyncExitStack() as stack:
        registry = plugins.prompt_sources
        yield [await stack.enter_async_context(registry.get(name)(services)) for name in registry]


@asynccontextmanager
async def _telling_observers(
    plugins: Plugins, services: Services, *, is_server: bool
) -> AsyncGenerator[Sequence[SharedFeed]]:
    """Open every registered change observer, and deliver changes to it; on a data folder, only the server does.

    Yields the feeds of a storage that several servers share.
    """
    storage, registry = services.storage, plugins.change_observers
    if not is_server or not isinstance(storage, TrackedStorage | SharedStorage):
        yield ()
        return
    async with AsyncExitStack() as stack:
        observers = {name: await stack.enter_async_context(registry.get(name)(services)) for name in registry}
        if not isinstance(storage, SharedStorage):
            await stack.enter_async_context(storage.telling(observers))
            yield ()
            return
        feeds = [SharedFeed(storage, name, observer) for name, observer in observers.items()]
        background = BackgroundTasks()
        stack.push_async_callback(background.close)
        for name, feed in zip(observers, feeds, strict=True):
            background.start(f"{name}: look for changes", feed.run)
        yield feeds


@asynccontextmanager
async def _without_deleted(storage: Storage, *, is_server: bool) -> AsyncGenerator[None]:
    """Release turns that a crash has left in conversations that commands have deleted since."""
    if is_server and not storage.is_shared:
        with suppress(StorageUnavailable):  # the engine waits for it
            if gone := await ServerInbox(storage).deleted():
                await forget_turns(storage, gone)
    yield


def _told_by(storage: Storage) -> Callable[[Collection[UUID]], Awaitable[None]]:
    """Return what waits, some seconds at most, until observers have followed what commands did to conversations."""

    async def told(conversation_ids: Collection[UUID]) -> None:
        if isinstance(storage, TrackedStorage):
            await storage.told_by_others(conversation_ids, within_s=TOLD_WITHIN_S)

    return told


@asynccontextmanager
async def _following_commands(
    storage: Storage, turns: TurnEngine, *, is_server: bool
) -> AsyncGenerator[BackgroundTasks]:
    """Apply what commands change beside the server."""
    background = BackgroundTasks()
    if is_server and not storage.is_shared:
        background.start("follow commands", partial(ServerInbox(storage, _told_by(storage)).run, turns.follow))
    try:
        yield background
    finally:
        await background.close()
