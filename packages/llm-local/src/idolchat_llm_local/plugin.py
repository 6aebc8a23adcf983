"""The plugin: registers the provider ``local``."""

from __future__ import annotations

from idolchat_core import LLMProvider, Registry, hookimpl
from idolchat_llm_local.provider import open_local_llm

__all__ = ["idolchat_register_llm_providers"]


@hookimpl
def idolchat_register_llm_providers(registry: Registry[LLMProvider]) -> None:
    """Add the embedded model; it is loaded by a process of its own, not here."""
    registry.add("local", open_local_llm)
