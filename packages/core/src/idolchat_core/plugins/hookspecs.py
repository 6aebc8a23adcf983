"""What a plugin can add. Hooks run once, at start, synchronously; they register factories."""

from __future__ import annotations

from pluggy import HookimplMarker, HookspecMarker

from idolchat_core.characters.contract import CharacterDirectory
from idolchat_core.coordination.contract import Bus
from idolchat_core.llm.contract import LLMProvider
from idolchat_core.plugins.registry import NamespaceRegistry, Registry, ServiceRegistry, StorageRegistry
from idolchat_core.prompt.sources import PromptSource
from idolchat_core.storage.changes import ChangeObserver
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.conversation_data import ConversationData
from idolchat_core.storage.user_data import UserData

__all__ = [
    "hookimpl",
    "idolchat_register_buses",
    "idolchat_register_change_observers",
    "idolchat_register_character_directories",
    "idolchat_register_conversation_data",
    "idolchat_register_llm_providers",
    "idolchat_register_mirrored_records",
    "idolchat_register_prompt_sources",
    "idolchat_register_storages",
    "idolchat_register_user_data",
]

PROJECT = "idolchat"
hookspec = HookspecMarker(PROJECT)
hookimpl = HookimplMarker(PROJECT)


@hookspec
def idolchat_register_storages(registry: Registry[Storage]) -> None:
    """Add storage back ends: ``registry.add("local", open_local_storage)``."""


@hookspec
def idolchat_register_llm_providers(registry: Registry[LLMProvider]) -> None:
    """Add model providers: ``registry.add("openrouter", open_openrouter)``."""


@hookspec
def idolchat_register_buses(registry: Registry[Bus]) -> None:
    """Add buses between the processes of a shared storage: ``registry.add("redis", open_redis_bus)``."""


@hookspec
def idolchat_register_mirrored_records(registry: NamespaceRegistry) -> None:
    """Register namespaces whose records mirrors copy, as they copy conversations: ``registry.add("characters")``."""


@hookspec
def idolchat_register_prompt_sources(registry: ServiceRegistry[PromptSource]) -> None:
    """Add what has something to say in prompts: ``registry.add("memory", open_memory)``."""


@hookspec
def idolchat_register_character_directories(registry: ServiceRegistry[CharacterDirectory]) -> None:
    """Add what knows characters: ``registry.add("characters", open_directory)``."""


@hookspec
def idolchat_register_change_observers(registry: ServiceRegistry[ChangeObserver]) -> None:
    """Add what follows the changes of conversations: ``registry.add("memory", open_memory_index)``."""


@hookspec
def idolchat_register_conversation_data(registry: StorageRegistry[ConversationData]) -> None:
    """Add what holds data of conversations beside their documents: ``registry.add("characters", open_books)``."""


@hookspec
def idolchat_register_user_data(registry: StorageRegistry[UserData]) -> None:
    """Add what holds data of users beside the conversations: ``registry.add("memory", open_memory_notes)``."""
