import subprocess
import sys

import pytest
from tests.support.mock_openrouter.fixture import Mock

import idolchat_llm_openrouter.plugin as plugin
from idolchat_core.plugins.loader import load_plugins
from idolchat_llm_openrouter.provider import OpenRouterProvider


@pytest.mark.parametrize(
    ("variable", "asked_for"),
    [
        ("OPENROUTER_API_KEY", ["openrouter"]),
        ("OPENROUTER_BASE_URL", ["openrouter"]),
        ("IDOLCHAT_MODEL", []),
    ],
)
def test_the_provider_is_wanted_where_its_key_or_address_is_set(
    monkeypatch: pytest.MonkeyPatch, variable: str, asked_for: list[str]
) -> None:
    monkeypatch.setenv(variable, "http://localhost/v1")
    providers = load_plugins(plugin, installed=False).llm_providers

    assert list(providers) == ["openrouter"]
    assert providers.asked_for() == asked_for


async def test_the_factory_opens_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, mock_openrouter: Mock
) -> None:
    monkeypatch.setenv("OPENROUTER_BASE_URL", mock_openrouter.base_url)
    monkeypatch.setenv("IDOLCHAT_MODEL", "mock/n2")
    factory = load_plugins(plugin, installed=False).llm_providers.get("openrouter")

    async with factory() as provider:
        assert isinstance(provider, OpenRouterProvider)
        assert provider.default_model == "mock/n2"
        await provider.check()


def test_the_plugin_is_found_by_its_entry_point() -> None:
    assert "openrouter" in load_plugins(only=["llm-openrouter"]).llm_providers


def test_loading_the_plugin_does_not_load_the_http_client() -> None:
    code = "import sys, idolchat_llm_openrouter.plugin; sys.exit('httptools' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
