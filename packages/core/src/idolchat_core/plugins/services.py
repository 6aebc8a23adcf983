"""The open services that plugins of the upper floor build on."""

from __future__ import annotations

from dataclasses import dataclass, field

from idolchat_core.characters.contract import CharacterDirectory
from idolchat_core.characters.joined import JoinedDirectories
from idolchat_core.llm.contract import LLMProvider
from idolchat_core.settings import CoreSettings
from idolchat_core.spending.background import BackgroundCompletions
from idolchat_core.storage.contract import Storage

__all__ = ["Services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The chosen storage and provider, open and ready, and the settings that chose them.

    ``characters`` is all character directories as one; a directory itself is opened before they are together.
    ``background`` asks the provider for what no turn asks for, metered; ask it, and not the provider.
    """

    storage: Storage
    provider: LLMProvider
    settings: CoreSettings
    characters: CharacterDirectory = field(default_factory=JoinedDirectories)
    background: BackgroundCompletions = field(default_factory=BackgroundCompletions)
