"""A real server for tests: over HTTP and WebSocket, on a free loopback port, in the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from fastapi import FastAPI

from idolchat_api.app import create_app
from idolchat_api.auth.api_key import KeyRing
from idolchat_api.auth.keys import ApiKey
from idolchat_api.auth.principal import Scope
from idolchat_api.connections.listening import listen, url_of
from idolchat_api.server import GracefulServer
from idolchat_api.settings.api import ApiSettings
from idolchat_core.characters.contract import CharacterDirectory
from idolchat_core.llm.contract import LLMProvider
from idolchat_core.plugins.hookspecs import hookimpl
from idolchat_core.plugins.loader import Plugins
from idolchat_core.plugins.registry import Factory, Registry, ServiceRegistry
from idolchat_core.storage.contract import Storage

__all__ = ["NewKey", "Parts", "new_key_in", "serving", "serving_app"]

type NewKey = Callable[..., Awaitable[dict[str, str]]]
"""Makes an API key, as ``idol keys create`` does, and returns the header that shows it.

It takes scopes, ``chat`` where none is named, and fields of an ``ApiKey`` by their names.
"""


class Parts:
    """A plugin with one open storage and one open provider, both named ``local``; the settings must not name others.

    It may have an open character directory, too. ``is_shared`` says that further servers are at work on the storage.
    """

    def __init__(
        self,
        storage: Storage,
        llm: LLMProvider,
        characters: CharacterDirectory | None = None,
        *,
        is_shared: bool = False,
    ) -> None:
        self._storage = storage
        self._is_shared = is_shared
        self._llm = llm
        self._characters = characters

    @hookimpl
    def idolchat_register_storages(self, registry: Registry[Storage]) -> None:
        registry.add("local", _as_it_is(self._storage), is_shared=self._is_shared)

    @hookimpl
    def idolchat_register_llm_providers(self, registry: Registry[LLMProvider]) -> None:
        registry.add("local", _as_it_is(self._llm))

    @hookimpl
    def idolchat_register_character_directories(self, registry: ServiceRegistry[CharacterDirectory]) -> None:
        if (characters := self._characters) is not None:
            registry.add("local", lambda services: nullcontext(characters))


@asynccontextmanager
async def serving(settings: ApiSettings, *, plugins: Plugins | Sequence[object] | None = None) -> AsyncGenerator[str]:
    """Serve on a free port, yield the URL, and stop as on SIGTERM."""
    async with serving_app(create_app(settings=settings, plugins=plugins), settings) as url:
        yield url


@asynccontextmanager
async def serving_app(app: FastAPI, settings: ApiSettings) -> AsyncGenerator[str]:
    """Serve an application made by ``create_app``, to which routes may have been added; see ``serving``."""
    with listen(settings.host, 0) as listener:
        server = GracefulServer(app, settings)
        async with app.router.lifespan_context(app):
            serving_task = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                yield url_of(listener, host=settings.host)
            finally:
                server.should_exit = True
                await serving_task


def new_key_in(storage: Storage) -> NewKey:
    """Return what makes API keys that a server of this storage knows."""

    async def make(*scopes: str, **fields: Any) -> dict[str, str]:
        key, kept = ApiKey.make(scopes=frozenset(map(Scope, scopes or ["chat"])), **fields)
        await KeyRing(storage).add(kept)
        return {"Authorization": f"Bearer {key}"}

    return make


def _as_it_is[T](part: T) -> Factory[T]:
    @asynccontextmanager
    async def opened() -> AsyncGenerator[T]:
        yield part

    def factory() -> AbstractAsyncContextManager[T]:
        return opened()

    return factory
