"""The plugin: registers the provider."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from idolchat_core import LLMProvider, Registry, hookimpl, read_settings
from idolchat_llm_openrouter.settings import OpenRouterSettings

__all__ = ["idolchat_register_llm_providers"]


@hookimpl
def idolchat_register_llm_providers(registry: Registry[LLMProvider]) -> None:
    """Register ``openrouter``, which is chosen by default where its key or address is set."""
    registry.add("openrouter", _open, when=_is_set)


def _is_set() -> bool:
    return not read_settings(OpenRouterSettings).model_fields_set.isdisjoint({"api_key", "base_url"})


def _open() -> AbstractAsyncContextManager[LLMProvider]:
    # A server that uses another provider need not wait for the import of an HTTP client.
    from idolchat_llm_openrouter.provider import open_openrouter  # noqa: PLC0415

    return open_openrouter()
