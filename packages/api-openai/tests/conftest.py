"""A real server with this plugin over real HTTP, a storage in memory, and a provider that says what it is told."""

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import NewKey, Parts, new_key_in, serving
from idolchat_api_openai import plugin
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
def directory() -> InMemoryDirectory:
    directory = InMemoryDirectory()
    directory.add("aoi", "Hello, I am Aoi.")
    return directory


@pytest.fixture
def settings(tmp_path: Path) -> ApiSettings:
    return ApiSettings(data_dir=tmp_path / "data", shutdown_grace_s=5, plugins=())


@pytest.fixture
async def url(
    settings: ApiSettings, storage: InMemoryStorage, provider: ScriptedProvider, directory: InMemoryDirectory
) -> AsyncGenerator[str]:
    async with serving(settings, plugins=[Parts(storage, provider, directory), plugin]) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
def new_key(storage: InMemoryStorage) -> NewKey:
    """Make an API key, as `idol keys create` does, and give the header that carries it."""
    return new_key_in(storage)
