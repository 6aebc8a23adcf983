"""Settings of the server."""

import pytest

from idolchat_api import ApiSettings
from idolchat_core.errors import ConfigurationError
from idolchat_core.settings import read_settings


def test_the_server_is_for_this_machine_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IDOLCHAT_HOST", raising=False)
    monkeypatch.delenv("IDOLCHAT_PORT", raising=False)

    settings = read_settings(ApiSettings)

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)


def test_every_field_has_its_variable_and_says_what_it_is() -> None:
    for name, field in ApiSettings.model_fields.items():
        assert field.validation_alias, name
        assert field.description, name


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDOLCHAT_API_ALLOWED_HOSTS", "Chat.example, other.example")
    monkeypatch.setenv("IDOLCHAT_API_ALLOWED_ORIGINS", "https://App.example/")

    settings = read_settings(ApiSettings)

    assert settings.allowed_hosts == ("chat.example", "other.example")
    assert settings.allowed_origins == ("https://app.example",)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("IDOLCHAT_PORT", "-1"),
        ("IDOLCHAT_PORT", "http"),
        ("IDOLCHAT_API_MAX_BODY_BYTES", "8MB"),
        ("IDOLCHAT_API_MAX_WS_MESSAGE_BYTES", "1"),
        ("IDOLCHAT_API_HEARTBEAT_S", "-3"),
        ("IDOLCHAT_API_LOG_LEVEL", "loud"),
        ("IDOLCHAT_WORKERS", "0"),
        ("WEB_CONCURRENCY", "many"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=variable):
        read_settings(ApiSettings)
