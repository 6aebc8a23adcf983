"""A second engine on the same storage."""

from collections.abc import AsyncGenerator

import pytest
from two_engines import Cluster

from idolchat_core.testing import ScriptedProvider
from idolchat_core.turns.engine import TurnEngine


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def other_llm() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
async def one(cluster: Cluster, llm: ScriptedProvider) -> AsyncGenerator[TurnEngine]:
    async with cluster.engine("one", llm) as engine:
        yield engine


@pytest.fixture
async def other(cluster: Cluster, other_llm: ScriptedProvider) -> AsyncGenerator[TurnEngine]:
    async with cluster.engine("other", other_llm) as engine:
        yield engine
