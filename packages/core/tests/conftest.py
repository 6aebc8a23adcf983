"""An engine on a storage in memory, with a provider that says what a test scripts."""

from collections.abc import AsyncGenerator

import pytest

from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


@pytest.fixture
def llm() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
async def turns(storage: InMemoryStorage, llm: ScriptedProvider) -> AsyncGenerator[TurnEngine]:
    async with TurnEngine(storage, llm, settings=CoreSettings(shutdown_grace_s=0)) as turns:
        yield turns
