"""The parts, chosen by the settings and opened together."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from idolchat_core.errors import ConfigurationError
from idolchat_core.llm import LLMProvider
from idolchat_core.plugins import Plugins
from idolchat_core.settings import CoreSettings
from idolchat_core.storage import Storage
from idolchat_core.turn import TurnEngine

__all__ = ["Service", "choose_llm", "choose_storages", "open_service", "open_storage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything that serves conversations, open and ready."""

    settings: CoreSettings
    storage_name: str
    storage: Storage
    llm_name: str
    llm: LLMProvider
    turns: TurnEngine


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
    return chosen


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


def _check_names(variable: str, names: tuple[str, ...], installed: list[str]) -> None:
    for name in names:
        if name not in installed:
            raise ConfigurationError(f"{variable} names {name!r}; installed: {', '.join(installed) or 'none'}")


@asynccontextmanager
async def open_storage(settings: CoreSettings, plugins: Plugins) -> AsyncGenerator[tuple[str, Storage]]:
    """Open the chosen storage, and give the name of the primary with it.

    Raises ``ConfigurationError``, and what the storage raises when it cannot open.
    """
    names = choose_storages(settings, plugins)
    if len(names) > 1:
        raise ConfigurationError(
            f"IDOLCHAT_STORAGE names {', '.join(names)}, but mirroring is not built yet: name one storage"
        )
    async with plugins.storages.get(names[0])() as storage:
        yield names[0], storage


@asynccontextmanager
async def open_service(settings: CoreSettings, plugins: Plugins, *, recovers: bool = False) -> AsyncGenerator[Service]:
    """Open the chosen storage and provider, and the turn engine over them; close them in reverse.

    ``recovers``: see ``TurnEngine``. Raises ``ConfigurationError``, and what the parts raise when they cannot open.
    """
    llm_name = choose_llm(settings, plugins)
    async with (
        open_storage(settings, plugins) as (storage_name, storage),
        plugins.llm_providers.get(llm_name)() as llm,
        TurnEngine(storage, llm, settings=settings, recovers=recovers) as turns,
    ):
        yield Service(
            settings=settings, storage_name=storage_name, storage=storage, llm_name=llm_name, llm=llm, turns=turns
        )
