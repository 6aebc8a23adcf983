"""The open services that plugins of the upper floor build on."""

from __future__ import annotations

from dataclasses import dataclass

from idolchat_core.llm.contract import LLMProvider
from idolchat_core.settings import CoreSettings
from idolchat_core.storage.contract import Storage

__all__ = ["Services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The chosen storage and provider, open and ready, and the settings that chose them."""

    storage: Storage
    provider: LLMProvider
    settings: CoreSettings
