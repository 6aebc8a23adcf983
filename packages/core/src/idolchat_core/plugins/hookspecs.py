"""What a plugin can add. Hooks run once, at start, synchronously; they register factories."""

from __future__ import annotations

from pluggy import HookimplMarker, HookspecMarker

from idolchat_core.llm.contract import LLMProvider
from idolchat_core.plugins.registry import Registry, ServiceRegistry
from idolchat_core.prompt.sources import PromptSource
from idolchat_core.storage.contract import Storage

__all__ = [
    "hookimpl",
    "idolchat_register_llm_providers",
    "idolchat_register_prompt_sources",
    "idolchat_register_storages",
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
def idolchat_register_prompt_sources(registry: ServiceRegistry[PromptSource]) -> None:
    """Add what has something to say in prompts: ``registry.add("memory", open_memory)``."""
