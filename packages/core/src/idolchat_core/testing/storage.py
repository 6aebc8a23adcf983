"""What every storage must do: a pytest class to run by overriding its fixtures."""

from __future__ import annotations

import pytest

from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.groups import GroupRules
from idolchat_core.testing.storage_rules.listing import ListingRules
from idolchat_core.testing.storage_rules.logs import LogRules
from idolchat_core.testing.storage_rules.making import a_conversation, a_message
from idolchat_core.testing.storage_rules.reading import ReadingRules
from idolchat_core.testing.storage_rules.records import RecordRules
from idolchat_core.testing.storage_rules.reopening import Reopen, ReopeningRules
from idolchat_core.testing.storage_rules.replacing import ReplacingRules
from idolchat_core.testing.storage_rules.revisions import RevisionRules
from idolchat_core.testing.storage_rules.searching import SearchingRules
from idolchat_core.testing.storage_rules.upkeep import UpkeepRules
from idolchat_core.testing.storage_rules.whole import WholeRules
from idolchat_core.testing.storage_rules.writing import WritingRules

__all__ = ["Reopen", "StorageConformance", "a_conversation", "a_message"]


@pytest.mark.asyncio
class StorageConformance(
    WritingRules,
    ReplacingRules,
    ReadingRules,
    ListingRules,
    SearchingRules,
    GroupRules,
    WholeRules,
    RecordRules,
    LogRules,
    UpkeepRules,
    ReopeningRules,
    RevisionRules,
):
    """The contract of ``Storage``, as tests.

    Override the fixture ``storage``, and ``reopen`` unless ``persistent`` is set to False. What a store need not do
    is said by ``persistent`` and ``shared``.

    The kit cannot cut the power. That what a method has returned from survives it (fsync, a committed transaction, a
    replica's answer) is the store's to see to, and to say where it does not, as Redis with its default of an fsync a
    second does not.
    """

    @pytest.fixture
    def storage(self) -> Storage:
        """Return an empty store, open, that is closed after the test."""
        raise NotImplementedError("override the fixture `storage` with one that yields an empty, open store")

    @pytest.fixture
    def reopen(self) -> Reopen:
        """Return a function that opens the store of this test once more."""
        raise NotImplementedError("override the fixture `reopen`, or set `persistent = False` if that is how it is")
