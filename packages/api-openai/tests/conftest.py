"""A real server with this plugin over real HTTP, a storage in memory, and a provider that says what it is told."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from v1_keys import NewKey

from idolchat_api import ApiSettings
from idolchat_api.auth.api_key import KeyRing
from idolchat_api.auth.keys import ApiKey
from idolchat_api.auth.principal import Scope
from idolchat_api.testing import Parts, serving
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

    async def make(*scopes: str, **fields: Any) -> dict[str, str]:
        key, kept = ApiKey.make(scopes=frozenset(map(Scope, scopes or ["chat"])), **fields)
        await KeyRing(storage).add(kept)
        return {"Authorization": f"Bearer {key}"}

    return make
