"""What all turns share."""

from __future__ import annotations

from dataclasses import dataclass, field

from idolchat_core.catalog import ModelCatalog
from idolchat_core.checkpoints import Checkpoints
from idolchat_core.history import Histories
from idolchat_core.llm import LLMProvider
from idolchat_core.observing import TurnObserver
from idolchat_core.settings import CoreSettings
from idolchat_core.spending.ledger import Ledger
from idolchat_core.storage import Storage
from idolchat_core.stranded import StrandedTurns
from idolchat_core.tokens import TokenEstimator

__all__ = ["Parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that turns are run with."""

    storage: Storage
    llm: LLMProvider
    settings: CoreSettings
    histories: Histories
    checkpoints: Checkpoints
    stranded: StrandedTurns
    catalog: ModelCatalog
    ledger: Ledger
    observers: list[TurnObserver] = field(default_factory=list)
    estimator: TokenEstimator
