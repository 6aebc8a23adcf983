"""The turns of several processes in one database."""

from __future__ import annotations

import pytest
from postgres_processes import OpenProcess, Process

from idolchat_core import Storage, TurnStore
from idolchat_core.testing import OpenTurnStore, TurnStoreConformance


class TestPostgresTurns(TurnStoreConformance):
    @pytest.fixture
    def storage(self, process: Process) -> Storage:
        return process.storage

    @pytest.fixture
    def turns(self, process: Process) -> TurnStore:
        return process.coordination.turns

    @pytest.fixture
    def another(self, open_process: OpenProcess) -> OpenTurnStore:
        async def open_store() -> TurnStore:
            return (await open_process()).coordination.turns

        return open_store

    @pytest.fixture
    def successor(self, process: Process, open_process: OpenProcess) -> OpenTurnStore:
        async def open_store() -> TurnStore:
            await process.falls_silent()
            heir = await open_process()
            await heir.may_judge()
            return heir.coordination.turns

        return open_store
