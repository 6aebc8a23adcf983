"""The idolchat provider for OpenRouter and any OpenAI-compatible server."""

from idolchat_llm_openrouter.settings import Dialect, OpenRouterSettings

__all__ = ["Dialect", "OpenRouterSettings"]
