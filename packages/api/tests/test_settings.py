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
        ("IDOLCHAT_API_TRUSTED_PROXIES", "nginx"),
        ("IDOLCHAT_API_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("IDOLCHAT_API_ALLOWED_HOSTS", "https://chat.example"),
        ("IDOLCHAT_API_ALLOWED_HOSTS", "chat.example:8000"),
        ("IDOLCHAT_API_ALLOWED_HOSTS", "*.example"),
        ("IDOLCHAT_API_ALLOWED_ORIGINS", "chat.example"),
        ("IDOLCHAT_API_ALLOWED_ORIGINS", "https://chat.example/app"),
        ("IDOLCHAT_API_ALLOWED_ORIGINS", "*"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=variable):
        read_settings(ApiSettings)


def test_a_network_that_names_one_of_its_addresses_is_told_as_it_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDOLCHAT_API_TRUSTED_PROXIES", "192.0.2.1, 10.1.2.3/8")

    with pytest.raises(ConfigurationError, match=r"'10\.1\.2\.3/8' .* write 10\.0\.0\.0/8"):
        read_settings(ApiSettings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("IDOLCHAT_API_TRUSTED_PROXIES", "*"),
        ("IDOLCHAT_API_TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8, ::1"),
        ("IDOLCHAT_API_ALLOWED_HOSTS", "*, host.docker.internal, [fd00::1], my_host"),
        ("IDOLCHAT_API_ALLOWED_ORIGINS", "http://[::1]:8000, capacitor://localhost, chrome-extension://abcd, null"),
    ],
)
def test_what_a_browser_and_a_proxy_are_known_by_is_taken(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    read_settings(ApiSettings)
