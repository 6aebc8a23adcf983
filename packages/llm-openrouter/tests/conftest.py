from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.support.aiohttp_transport import open_aiohttp
from tests.support.mock_openrouter.fixture import Mock, mock_openrouter, mock_openrouter_process

from idolchat_core import read_settings
from idolchat_llm_openrouter import OpenRouterSettings
from idolchat_llm_openrouter.http import open_http
from idolchat_llm_openrouter.provider import OpenRouterProvider, open_openrouter
from idolchat_llm_openrouter.transport import OpenTransport

__all__ = ["mock_openrouter", "mock_openrouter_process"]

type Open = Callable[..., AbstractAsyncContextManager[OpenRouterProvider]]

KEY = "sk-canary-7d1f"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for field in OpenRouterSettings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=[open_http, open_aiohttp], ids=["ours", "aiohttp"])
def open_transport(request: pytest.FixtureRequest) -> OpenTransport:
    """Run a test once with each HTTP client."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def open_provider(mock_openrouter: Mock, open_transport: OpenTransport) -> Open:
    """Open a provider on the mock that speaks OpenRouter and does not wait before it tries again."""

    def opened(**settings: Any) -> AbstractAsyncContextManager[OpenRouterProvider]:
        given = {
            "base_url": mock_openrouter.base_url,
            "api_key": KEY,
            "dialect": "openrouter",
            "model": "mock/echo-c4096",
            "retry_max_wait_s": 0.01,
        }
        return open_openrouter(read_settings(OpenRouterSettings, **(given | settings)), open_transport=open_transport)

    return opened


@pytest.fixture
async def provider(open_provider: Open) -> AsyncIterator[OpenRouterProvider]:
    async with open_provider() as provider:
        yield provider


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """Make an authority that this process trusts as it does those of the system."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return authority
