"""Runs a GGUF model on this machine with llama.cpp, so that no key is needed."""

from idolchat_llm_local.provider import LocalProvider, open_local_llm
from idolchat_llm_local.settings import LocalSettings

__all__ = ["LocalProvider", "LocalSettings", "open_local_llm"]
