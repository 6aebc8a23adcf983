"""What this package adds to idolchat."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from idolchat_core import (
    ChangeObserver,
    NamespaceRegistry,
    PromptSource,
    ServiceRegistry,
    Services,
    Storage,
    StorageRegistry,
    UserData,
    hookimpl,
)
from idolchat_memory.settings import MemorySettings

if TYPE_CHECKING:  # neither the server nor the command line is needed to load this
    from idolchat_api import RouteRegistry
    from idolchat_cli.registry import CheckRegistry, CommandRegistry

__all__ = [
    "MemorySettings",  # for `idol config show`, which tells of settings that are imported
    "idolchat_register_change_observers",
    "idolchat_register_checks",
    "idolchat_register_commands",
    "idolchat_register_mirrored_records",
    "idolchat_register_prompt_sources",
    "idolchat_register_routes",
    "idolchat_register_user_data",
]

# Each part is imported when it is opened: a command needs neither the index nor the model to load this.


@hookimpl
def idolchat_register_prompt_sources(registry: ServiceRegistry[PromptSource]) -> None:
    """Register ``memory``, ``notes`` and ``summary``."""
    registry.add("memory", _open_source)
    registry.add("notes", _open_notes)
    registry.add("summary", _open_summaries)


@hookimpl
def idolchat_register_mirrored_records(registry: NamespaceRegistry) -> None:
    """Register notes and choices, so that mirrors copy them."""
    registry.add("notes")
    registry.add("note-citations")
    registry.add("memory-choices")


@hookimpl
def idolchat_register_change_observers(registry: ServiceRegistry[ChangeObserver]) -> None:
    """Register ``memory``."""
    registry.add("memory", _open_feed)


@hookimpl
def idolchat_register_user_data(registry: StorageRegistry[UserData]) -> None:
    """Register ``memory`` and ``notes``."""
    registry.add("memory", _open_user_data)
    registry.add("notes", _open_note_data)


@hookimpl(optionalhook=True)
def idolchat_register_routes(registry: RouteRegistry) -> None:
    """Register the routes under ``/memory``."""
    from idolchat_api import Access  # noqa: PLC0415
    from idolchat_memory.routes import choices, notes, search, summaries  # noqa: PLC0415

    registry.add_router(search.router, access=Access.READ)
    registry.add_router(choices.router, access=Access.CALLER)
    registry.add_router(summaries.router, access=Access.CALLER)
    registry.add_router(notes.router, access=Access.CALLER, find={"note_id": notes.may_access})


@hookimpl(optionalhook=True)
def idolchat_register_commands(registry: CommandRegistry) -> None:
    """Register ``idol memory``."""
    registry.add("memory", "idolchat_memory.commands:app", help="Search what is remembered, and look after its index.")


@hookimpl(optionalhook=True)
def idolchat_register_checks(registry: CheckRegistry) -> None:
    """Register what ``idol doctor`` says of memory."""
    registry.add("memory", "idolchat_memory.checks:check_memory")


def _open_source(services: Services) -> AbstractAsyncContextManager[PromptSource]:
    from idolchat_memory.prompt import open_recall_source  # noqa: PLC0415

    return open_recall_source(services)


def _open_notes(services: Services) -> AbstractAsyncContextManager[PromptSource]:
    from idolchat_memory.notes.source import open_notes_source  # noqa: PLC0415

    return open_notes_source(services)


def _open_summaries(services: Services) -> AbstractAsyncContextManager[PromptSource]:
    from idolchat_memory.summaries.source import open_summary_source  # noqa: PLC0415

    return open_summary_source(services)


def _open_feed(services: Services) -> AbstractAsyncContextManager[ChangeObserver]:
    from idolchat_memory.following import open_observer  # noqa: PLC0415

    return open_observer(services)


def _open_user_data(storage: Storage) -> AbstractAsyncContextManager[UserData]:
    from idolchat_memory.user_data import open_user_data  # noqa: PLC0415

    return open_user_data(storage)


def _open_note_data(storage: Storage) -> AbstractAsyncContextManager[UserData]:
    from idolchat_memory.notes.user_data import open_note_data  # noqa: PLC0415

    return open_note_data(storage)
