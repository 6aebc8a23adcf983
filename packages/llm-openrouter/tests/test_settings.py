from pathlib import Path

import pytest

from idolchat_core import ConfigurationError, read_settings
from idolchat_llm_openrouter import OpenRouterSettings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "OPENROUTER_API_KEY": "sk-1",
        "OPENROUTER_BASE_URL": "http://localhost:8080/v1/",
        "IDOLCHAT_MODEL": "a/b",
        "HTTP_REFERER": "https://idol.example",
        "X_TITLE": "爱豆",
        "IDOLCHAT_OPENROUTER_CATEGORIES": "roleplay, games",
        "IDOLCHAT_OPENROUTER_DIALECT": "openrouter",
        "IDOLCHAT_OPENROUTER_RETRIES": "0",
        "IDOLCHAT_OPENROUTER_DONE_IS_FINISH": "true",
        "IDOLCHAT_OPENROUTER_THINK_AS_REASONING": "true",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = read_settings(OpenRouterSettings)

    assert settings.key == "sk-1"
    assert settings.base_url == "http://localhost:8080/v1"
    assert settings.host == "localhost:8080"
    assert (settings.model, settings.referer, settings.title) == ("a/b", "https://idol.example", "爱豆")
    assert settings.categories == ("roleplay", "games")
    assert settings.speaks_openrouter
    assert settings.retries == 0
    assert settings.done_is_finish
    assert settings.think_as_reasoning


def test_a_key_can_stand_in_dotenv() -> None:
    Path(".env").write_text("OPENROUTER_API_KEY=sk-file\n")

    assert read_settings(OpenRouterSettings).key == "sk-file"


@pytest.mark.parametrize(
    ("url", "dialect", "expected"),
    [
        ("https://openrouter.ai/api/v1", "auto", True),
        ("https://eu.openrouter.ai/api/v1", "auto", True),
        ("https://openrouter.ai.example/api/v1", "auto", False),
        ("https://notopenrouter.ai/api/v1", "auto", False),
        ("http://localhost/api/v1", "auto", False),
        ("http://localhost/api/v1", "openrouter", True),
        ("https://openrouter.ai/api/v1", "openai", False),
    ],
)
def test_the_dialect_follows_the_host_unless_it_is_set(url: str, dialect: str, expected: bool) -> None:
    assert read_settings(OpenRouterSettings, base_url=url, dialect=dialect).speaks_openrouter is expected


@pytest.mark.parametrize(
    "url",
    [
        "openrouter.ai/api/v1", "ftp://a.example/v1", "https://", "http://a.example:port/v1", "https://[::1/v1", "http://a..example/v1",
        "https://user:sk-canary@a.example/v1", "https://a.example/v1?key=sk-canary", "https://a.example/v1#x",
        "https://a.example/v1/chat/completions",
    ],
)  # fmt: skip
def test_an_unusable_address_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigurationError, match="OPENROUTER_BASE_URL") as caught:
        read_settings(OpenRouterSettings, base_url=url)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "variable"),
    [
        ("api_key", "sk-canary\nX-Evil: 1", "OPENROUTER_API_KEY"),
        ("title", "a\r\nb", "X_TITLE"),
        ("referer", "a\nb", "HTTP_REFERER"),
        ("categories", "a,b,c", "IDOLCHAT_OPENROUTER_CATEGORIES"),
        ("dialect", "klingon", "IDOLCHAT_OPENROUTER_DIALECT"),
        ("token_timeout_s", 0, "IDOLCHAT_OPENROUTER_TOKEN_TIMEOUT_S"),
        ("first_token_timeout_s", -1, "IDOLCHAT_OPENROUTER_FIRST_TOKEN_TIMEOUT_S"),
        ("connect_timeout_s", "soon", "IDOLCHAT_OPENROUTER_CONNECT_TIMEOUT_S"),
        ("reply_timeout_s", 0, "IDOLCHAT_OPENROUTER_REPLY_TIMEOUT_S"),
        ("retries", 11, "IDOLCHAT_OPENROUTER_RETRIES"),
        ("retry_max_wait_s", -1, "IDOLCHAT_OPENROUTER_RETRY_MAX_WAIT_S"),
        ("max_reply_bytes", 0, "IDOLCHAT_OPENROUTER_MAX_REPLY_BYTES"),
    ],
)
def test_an_unusable_value_is_refused_by_name(field: str, value: object, variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable) as caught:
        read_settings(OpenRouterSettings, **{field: value})

    assert "canary" not in str(caught.value)


def test_the_key_is_not_shown() -> None:
    settings = read_settings(OpenRouterSettings, api_key="sk-canary")

    assert "canary" not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize("name", OpenRouterSettings.model_fields)
def test_each_setting_says_what_it_does(name: str) -> None:
    field = OpenRouterSettings.model_fields[name]

    assert field.description
    assert field.validation_alias
