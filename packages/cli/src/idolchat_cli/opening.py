"""Open the storage for a command that needs no model, as a server would, beside a server that may be running."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from idolchat_cli.progress import progress
from idolchat_core.choice import choose_llm, open_storage
from idolchat_core.llm.contract import LLMProvider
from idolchat_core.mirror import MirrorMode
from idolchat_core.plugins.loader import Plugins, load_plugins
from idolchat_core.settings import CoreSettings, read_settings
from idolchat_core.storage.contract import Storage, one_shot
from idolchat_core.storage.server_address import running_server

__all__ = ["Opened", "open_conversations", "open_provider", "running_url"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The storage that the settings choose (``storage_name`` is the primary's), and what chose it."""

    settings: CoreSettings
    plugins: Plugins
    storage_name: str
    storage: Storage


@asynccontextmanager
async def open_conversations(
    *, mode: MirrorMode = MirrorMode.RECORD, looks_at_all: bool = False
) -> AsyncGenerator[Opened]:
    """Open the storage that holds the conversations; with its mirrors, where it has any.

    By default what is changed reaches them when a server runs; ``MirrorMode.PUSH`` copies it from here. With
    ``looks_at_all`` the storage looks at every file, and believes no index that others keep: for what counts or erases.
    """
    settings = read_settings(CoreSettings)
    plugins = load_plugins(only=settings.plugins)
    one_shot.set(not looks_at_all)
    async with open_storage(settings, plugins, mode=mode) as (name, storage):
        with progress("Looking through the files"):
            await storage.settle()
        yield Opened(settings=settings, plugins=plugins, storage_name=name, storage=storage)


@asynccontextmanager
async def open_provider(opened: Opened) -> AsyncGenerator[LLMProvider]:
    """Open the model provider that the settings choose, for a command that has to know its models."""
    name = choose_llm(opened.settings, opened.plugins)
    async with opened.plugins.llm_providers.get(name)() as provider:
        yield provider


def running_url() -> str | None:
    """Find the address, on this machine, of the server that runs on the data folder; None where none runs.

    Raises ``ConfigurationError`` where one runs and this user may not know where.
    """
    server = running_server(read_settings(CoreSettings).data_dir)
    return server.url if server else None
