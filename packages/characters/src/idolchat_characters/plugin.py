"""What this package adds to idolchat."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from idolchat_characters.settings import CharactersSettings
from idolchat_core import (
    CharacterDirectory,
    ConversationData,
    NamespaceRegistry,
    PromptSource,
    ServiceRegistry,
    Services,
    Storage,
    StorageRegistry,
    UserData,
    hookimpl,
)

if TYPE_CHECKING:  # neither the server nor the command line is needed to load this
    from idolchat_api import RouteRegistry
    from idolchat_cli.registry import CheckRegistry, CommandRegistry

__all__ = [
    "CharactersSettings",  # for `idol config show`, which tells of settings that are imported
    "idolchat_register_character_directories",
    "idolchat_register_checks",
    "idolchat_register_commands",
    "idolchat_register_conversation_data",
    "idolchat_register_mirrored_records",
    "idolchat_register_prompt_sources",
    "idolchat_register_routes",
    "idolchat_register_user_data",
]

MAX_BODY_BYTES = 64 * 1024 * 1024


@hookimpl
def idolchat_register_character_directories(registry: ServiceRegistry[CharacterDirectory]) -> None:
    """Register ``characters``."""
    registry.add("characters", _open_directory)


def _open_directory(services: Services) -> AbstractAsyncContextManager[CharacterDirectory]:
    from idolchat_characters.directory import open_directory  # noqa: PLC0415  most commands need no characters

    return open_directory(services)


@hookimpl
def idolchat_register_mirrored_records(registry: NamespaceRegistry) -> None:
    """Register what is kept of characters, and of whom they talk to."""
    for namespace in ("characters", "assets", "personas", "lorebooks", "lorebook-lists", "starter"):
        registry.add(namespace)


@hookimpl
def idolchat_register_prompt_sources(registry: ServiceRegistry[PromptSource]) -> None:
    """Register ``characters``."""
    registry.add("characters", _open_source)


def _open_source(services: Services) -> AbstractAsyncContextManager[PromptSource]:
    from idolchat_characters.prompt import open_character_source  # noqa: PLC0415  a command needs no lore engine

    return open_character_source(services)


@hookimpl
def idolchat_register_conversation_data(registry: StorageRegistry[ConversationData]) -> None:
    """Register ``lorebooks``."""
    registry.add("lorebooks", _open_conversation_books)


def _open_conversation_books(storage: Storage) -> AbstractAsyncContextManager[ConversationData]:
    from idolchat_characters.books.conversation_data import (  # noqa: PLC0415  most commands need no characters
        open_conversation_books,
    )

    return open_conversation_books(storage)


@hookimpl
def idolchat_register_user_data(registry: StorageRegistry[UserData]) -> None:
    """Register ``characters``."""
    registry.add("characters", _open_user_data)


def _open_user_data(storage: Storage) -> AbstractAsyncContextManager[UserData]:
    from idolchat_characters.user_data import open_user_data  # noqa: PLC0415  most commands need no characters

    return open_user_data(storage)


@hookimpl(optionalhook=True)
def idolchat_register_routes(registry: RouteRegistry) -> None:
    """Register the routes under ``/characters``."""
    from idolchat_api import Access  # noqa: PLC0415  a command imports every plugin, and needs no server
    from idolchat_characters import routes  # noqa: PLC0415
    from idolchat_characters.books import routes as books  # noqa: PLC0415
    from idolchat_characters.personas import routes as personas  # noqa: PLC0415

    registry.add_router(
        routes.router,
        access=Access.CALLER,
        find={"character_id": routes.may_access, "file_name": routes.any_file},
        body_limits={routes.IMPORT_PATH: MAX_BODY_BYTES},
    )
    registry.add_router(routes.use_router, access=Access.CALLER, find={"character_id": routes.may_use})
    registry.add_router(personas.router, access=Access.CALLER, find={"persona_id": personas.may_access})
    registry.add_router(
        books.router,
        access=Access.CALLER,
        find={"lorebook_id": books.may_access},
        body_limits={books.BOOKS_PATH: MAX_BODY_BYTES},
    )


@hookimpl(optionalhook=True)
def idolchat_register_commands(registry: CommandRegistry) -> None:
    """Register ``idol characters``."""
    registry.add("characters", "idolchat_characters.commands:app", help="Look after characters and their cards.")
    registry.add("lorebooks", "idolchat_characters.commands.lorebooks:app", help="Look after lorebooks.")
    registry.add("personas", "idolchat_characters.commands.personas:app", help="Look after whom users play.")


@hookimpl(optionalhook=True)
def idolchat_register_checks(registry: CheckRegistry) -> None:
    """Register the check of ``idol doctor`` whether characters fit their models."""
    registry.add("characters", "idolchat_characters.checks:check_characters")
