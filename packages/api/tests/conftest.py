"""A real server over real HTTP, with a storage in memory and a provider that says what it is told."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.auth.api_key import KeyRing
from idolchat_api.auth.keys import ApiKey
from idolchat_api.auth.principal import Scope
from idolchat_api.testing import Parts, serving
from idolchat_core.plugins.loader import Plugins, load_plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider()


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


type NewKey = Callable[..., Awaitable[dict[str, str]]]


@pytest.fixture
def new_key(storage: InMemoryStorage) -> NewKey:
    """Make an API key, as `idol keys create` does, and give the header that carries it."""

    async def make(*scopes: str, **fields: Any) -> dict[str, str]:
        key, kept = ApiKey.make(scopes=frozenset(map(Scope, scopes or ["chat"])), **fields)
        await KeyRing(storage).add(kept)
        return {"Authorization": f"Bearer {key}"}

    return make
