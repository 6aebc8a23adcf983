"""What this package adds to idolchat."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from idolchat_api_openai.settings import OpenAISettings
from idolchat_core import ChangeObserver, ServiceRegistry, Services, Storage, StorageRegistry, UserData, hookimpl

if TYPE_CHECKING:  # the command line loads this without a server
    from idolchat_api import RouteRegistry
    from idolchat_cli.registry import CommandRegistry
    from idolchat_core import NamespaceRegistry

__all__ = [
    "OpenAISettings",  # for `idol config show`, which tells of settings that are imported
    "idolchat_register_change_observers",
    "idolchat_register_commands",
    "idolchat_register_mirrored_records",
    "idolchat_register_routes",
    "idolchat_register_user_data",
]


@hookimpl
def idolchat_register_change_observers(registry: ServiceRegistry[ChangeObserver]) -> None:
    """Register the index of replies."""
    registry.add("v1", _open_index)


def _open_index(services: Services) -> AbstractAsyncContextManager[ChangeObserver]:
    from idolchat_api_openai.matching.index import open_index  # noqa: PLC0415  a command needs none

    return open_index(services)


@hookimpl
def idolchat_register_user_data(registry: StorageRegistry[UserData]) -> None:
    """Register what the index holds about users."""
    registry.add("v1", _open_user_data)


def _open_user_data(storage: Storage) -> AbstractAsyncContextManager[UserData]:
    from idolchat_api_openai.matching.user_data import open_user_data  # noqa: PLC0415

    return open_user_data(storage)


@hookimpl
def idolchat_register_mirrored_records(registry: NamespaceRegistry) -> None:
    """Register the records that map clients' ids to conversations and users, so that mirrors copy them."""
    for namespace in ("foreign-users", "v1-conversations"):
        registry.add(namespace)


@hookimpl(optionalhook=True)
def idolchat_register_routes(registry: RouteRegistry) -> None:
    """Register the routes under ``/v1``."""
    from idolchat_api import Access  # noqa: PLC0415
    from idolchat_api_openai.registration import add_routes  # noqa: PLC0415

    add_routes(registry, access=Access.CALLER)


@hookimpl(optionalhook=True)
def idolchat_register_commands(registry: CommandRegistry) -> None:
    """Register ``idol connect``."""
    registry.add("connect", "idolchat_api_openai.commands:app", help="Print what to enter in a front end or an SDK.")
