"""What all turns share."""

from __future__ import annotations

from dataclasses import dataclass, field

from idolchat_core.characters.contract import CharacterDirectory
from idolchat_core.coordination.contract import Bus, TurnStore
from idolchat_core.llm.contract import LLMProvider
from idolchat_core.llm.model_catalog import ModelCatalog
from idolchat_core.llm.token_estimator import TokenEstimator
from idolchat_core.prompt.history import Histories
from idolchat_core.prompt.sources import PromptSources
from idolchat_core.settings import CoreSettings
from idolchat_core.spending.ledger import Ledger
from idolchat_core.storage.contract import Storage
from idolchat_core.turns.message_writer import MessageWriter
from idolchat_core.turns.observers import TurnObserver
from idolchat_core.turns.prompt_records import PromptRecords
from idolchat_core.turns.recovery import UnstoredTurns

__all__ = ["EngineResources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineResources:
    """The parts that turns are run with."""

    storage: Storage
    llm: LLMProvider
    settings: CoreSettings
    characters: CharacterDirectory
    histories: Histories
    writer: MessageWriter
    turns: TurnStore
    bus: Bus
    unstored: UnstoredTurns
    catalog: ModelCatalog
    ledger: Ledger
    observers: list[TurnObserver] = field(default_factory=list)
    prompt_records: PromptRecords
    prompt_sources: PromptSources = field(default_factory=PromptSources)
    estimator: TokenEstimator
