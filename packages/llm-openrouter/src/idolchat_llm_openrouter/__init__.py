"""Lets idolchat talk to OpenRouter and any OpenAI-compatible server."""

from idolchat_llm_openrouter.settings import Dialect, OpenRouterSettings

__all__ = ["Dialect", "OpenRouterSettings"]
