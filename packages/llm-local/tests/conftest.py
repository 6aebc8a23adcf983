"""The embedded model, with little context: every test that talks to it loads the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psutil
import pytest

from idolchat_core.testing import asking, collect
from idolchat_llm_local import LocalProvider, LocalSettings, open_local_llm


@pytest.fixture
def settings() -> LocalSettings:
    """Give settings that load in a moment, whatever the environment says."""
    return LocalSettings(model=None, context_length=1024, parallel=2, threads=None, gpu_layers=None, cache_mib=64)


@pytest.fixture
async def provider(settings: LocalSettings) -> AsyncIterator[LocalProvider]:
    """Return the provider, open, with its model loaded."""
    async with open_local_llm(settings) as provider:
        await collect(provider, asking("Hi!", max_tokens=1))
        yield provider


@pytest.fixture
def worker(provider: LocalProvider) -> psutil.Process:
    """Return the process that holds the model."""
    (process,) = psutil.Process().children()
    return process
