"""What every store of turns must do: a pytest class to run by overriding its fixtures."""

from __future__ import annotations

from uuid import UUID

import pytest

from idolchat_core.coordination.contract import TurnStore
from idolchat_core.models import new_id
from idolchat_core.spending.ledger import Ledger
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.spending.settings import SpendingSettings
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.memory import InMemoryStorage
from idolchat_core.testing.scripted import ScriptedProvider
from idolchat_core.testing.storage_rules.making import a_conversation
from idolchat_core.testing.turn_rules.beginning import BeginningRules
from idolchat_core.testing.turn_rules.beginning_at_once import BeginningAtOnceRules
from idolchat_core.testing.turn_rules.ending import EndingRules
from idolchat_core.testing.turn_rules.making import OpenTurnStore, an_unfinished_turn
from idolchat_core.testing.turn_rules.stopping import StoppingRules
from idolchat_core.testing.turn_rules.taking_over import TakingOverRules
from idolchat_core.testing.turn_rules.waiting import WaitingRules

__all__ = ["OpenTurnStore", "TurnStoreConformance", "an_unfinished_turn"]


@pytest.mark.asyncio
class TurnStoreConformance(
    WaitingRules,
    BeginningRules,
    BeginningAtOnceRules,
    EndingRules,
    StoppingRules,
    TakingOverRules,
):
    """The contract of ``TurnStore``, as tests.

    Override the fixtures ``storage`` and ``turns``, an open store of its turns; ``another``, which opens the store of
    a further process that is alive; and ``successor``, which returns that of a process that has found ``turns``'s
    process dead. ``shared`` is False where there is one process at a time, and ``another`` is not needed then.
    """

    shared = True

    @pytest.fixture
    def storage(self) -> Storage:
        """An empty storage."""
        return InMemoryStorage()

    @pytest.fixture
    def turns(self, storage: Storage) -> TurnStore:
        """The store of this process."""
        raise NotImplementedError("override the fixture `turns` with one that gives the store under test")

    @pytest.fixture
    def another(self) -> OpenTurnStore:
        """A function that opens the store of another process."""
        if not self.shared:
            pytest.skip("one process at a time")
        raise NotImplementedError("override the fixture `another`, or set `shared = False` if that is how it is")

    @pytest.fixture
    def successor(self) -> OpenTurnStore:
        """A function that opens the store of a process that comes after ``turns``'s has died."""
        raise NotImplementedError("override the fixture `successor` with a function that opens the store again")

    @pytest.fixture
    def ledger(self, storage: Storage) -> Ledger:
        """The ledger of this process."""
        return Ledger(storage, ScriptedProvider(), settings=SpendingSettings())

    @pytest.fixture
    def call(self, ledger: Ledger) -> MeteredCall:
        """A call that is about to be made, of which nothing is written yet."""
        call = ledger.admit(user_id=None, key_id=None, address=None, purpose="chat")
        call.prepare(call_id=new_id())
        return call

    @pytest.fixture
    async def conversation_id(self, storage: Storage) -> UUID:
        """A conversation of two messages."""
        conversation = a_conversation("Hello!", "Good evening.")
        await storage.create(conversation)
        return conversation.id
