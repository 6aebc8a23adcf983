"""How settings are read, and what is said of a wrong one."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from idolchat_core.errors import ConfigurationError
from idolchat_core.settings import CoreSettings, PackageSettings, read_settings


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDOLCHAT_STORAGE", "local, supabase")
    monkeypatch.setenv("IDOLCHAT_PLUGINS", "")

    assert read_settings(CoreSettings).storage == ("local", "supabase")


@pytest.mark.parametrize(("value", "plugins"), [("", ()), ("a", ("a",)), (None, None)])
def test_no_plugins_is_something_else_than_all_plugins(
    monkeypatch: pytest.MonkeyPatch, value: str | None, plugins: tuple[str, ...] | None
) -> None:
    if value is not None:
        monkeypatch.setenv("IDOLCHAT_PLUGINS", value)

    assert read_settings(CoreSettings).plugins == plugins


def test_a_dotenv_file_in_the_working_directory_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SYSTEM_PROMPT=You are Mira.\nSOMETHING_ELSE=1\n", encoding="utf-8")

    assert read_settings(CoreSettings).system_prompt == "You are Mira."


def test_a_wrong_value_is_an_error_that_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDOLCHAT_MAX_QUEUED_TURNS", "many")

    with pytest.raises(ConfigurationError, match=r"IDOLCHAT_MAX_QUEUED_TURNS is 'many': .*integer"):
        read_settings(CoreSettings)


class Guarded(PackageSettings):
    """Settings with a secret."""

    key: SecretStr = Field(validation_alias="GUARDED_KEY", min_length=10, description="A key.")


def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDED_KEY", "hunter2")

    with pytest.raises(ConfigurationError) as raised:
        read_settings(Guarded)
    assert "GUARDED_KEY" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_missing_value_is_an_error_that_says_what_it_is_for() -> None:
    with pytest.raises(ConfigurationError, match=r"GUARDED_KEY: .*required.*A key\."):
        read_settings(Guarded)


def test_every_setting_says_what_it_does() -> None:
    assert all(field.description for field in CoreSettings.model_fields.values())


def test_what_is_given_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDOLCHAT_MODEL", "from/environment")

    assert read_settings(CoreSettings, model="given/here").model == "given/here"


def test_a_dotenv_file_that_is_no_text_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"SYSTEM_PROMPT=\xff\xfe")

    with pytest.raises(ConfigurationError, match=r"\.env"):
        read_settings(CoreSettings)


def test_days_that_no_calendar_counts_back_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDOLCHAT_PROMPT_RETENTION_DAYS", "1000000")

    with pytest.raises(ConfigurationError, match=r"IDOLCHAT_PROMPT_RETENTION_DAYS is '1000000': .*36500"):
        read_settings(CoreSettings)
