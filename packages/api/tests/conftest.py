"""A real server over real HTTP, with a storage in memory and a provider that says what it is told."""

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import NewKey, Parts, new_key_in, serving
from idolchat_core import DirectoryEntry
from idolchat_core.plugins.loader import Plugins, load_plugins
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider, SharedInMemoryStorage


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
def shared() -> SharedInMemoryStorage:
    """A storage that several servers have open."""
    return SharedInMemoryStorage()


@pytest.fixture
def directory() -> InMemoryDirectory:
    return InMemoryDirectory()


@pytest.fixture
def mika(directory: InMemoryDirectory) -> DirectoryEntry:
    return directory.add("mika", "Hi! I am Mika.", "You again?")


@pytest.fixture
def plugins(storage: InMemoryStorage, provider: ScriptedProvider) -> Plugins:
    return load_plugins(Parts(storage, provider), installed=False)


@pytest.fixture
def settings(tmp_path: Path) -> ApiSettings:
    return ApiSettings(data_dir=tmp_path / "data", shutdown_grace_s=5)


@pytest.fixture
async def url(settings: ApiSettings, plugins: Plugins) -> AsyncGenerator[str]:
    async with serving(settings, plugins=plugins) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
def new_key(storage: InMemoryStorage) -> NewKey:
    """Make an API key, as `idol keys create` does, and give the header that carries it."""
    return new_key_in(storage)
