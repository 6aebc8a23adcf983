"""A real server with the page, and none of the other plugins."""

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

import idolchat_web.plugin
from idolchat_api import ApiSettings, RouteRegistry, hookspecs
from idolchat_api.app import BUILT_IN_ROUTES
from idolchat_api.auth.schemes import new_registry
from idolchat_api.testing import Parts, serving
from idolchat_core.plugins.loader import Fillable, load_plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


@pytest.fixture
def settings(tmp_path: Path) -> ApiSettings:
    return ApiSettings(data_dir=tmp_path / "data")


@pytest.fixture
def schemes() -> tuple[object, ...]:
    """Return plugins that know who is calling."""
    return ()


@pytest.fixture
async def url(settings: ApiSettings, storage: InMemoryStorage, schemes: tuple[object, ...]) -> AsyncGenerator[str]:
    registries: dict[str, Fillable] = {
        "idolchat_register_authenticators": new_registry(),
        "idolchat_register_routes": RouteRegistry(BUILT_IN_ROUTES),
    }
    parts = (Parts(storage, ScriptedProvider()), idolchat_web.plugin, *schemes)
    plugins = load_plugins(*parts, installed=False, specs=[hookspecs], registries=registries)
    async with serving(settings, plugins=plugins) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client
