"""Settings are shown with where they come from, and no secret with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pexpect
import pytest

from idolchat_cli.configured import Setting

if TYPE_CHECKING:
    from conftest import Installation


def shown(installation: Installation, *, status: int = 0, **env: str) -> dict[str, Setting]:
    """Return all settings by their variable."""
    settings = installation.answer(list[Setting], "config", "show", status=status, **env)
    return {one.variable: one for one in settings}


def test_each_setting_has_its_value_and_where_it_comes_from(installation: Installation) -> None:
    (installation.folder / ".env").write_text("IDOLCHAT_MODEL=in/file\nIDOLCHAT_CONTEXT_LENGTH=1024\n")
    settings = shown(installation, IDOLCHAT_MODEL="in/environment", IDOL_TEST_STORAGE_FAULT="none")

    told = {name: (settings[name].value, settings[name].source, settings[name].package) for name in (
        "IDOLCHAT_MODEL", "IDOLCHAT_CONTEXT_LENGTH", "IDOLCHAT_DATA_DIR", "IDOLCHAT_PORT", "IDOL_TEST_STORAGE_FAULT",
    )}  # fmt: skip
    assert told == {
        "IDOLCHAT_MODEL": ("in/environment", "environment", "idolchat-core"),
        "IDOLCHAT_CONTEXT_LENGTH": (1024, ".env", "idolchat-core"),
        "IDOLCHAT_DATA_DIR": ("data", "default", "idolchat-core"),
        "IDOLCHAT_PORT": (0, "environment", "idolchat-api"),
        "IDOL_TEST_STORAGE_FAULT": ("none", "environment", "idol-test-parts"),
    }


def test_a_setting_that_nothing_reads_is_told(installation: Installation) -> None:
    done = installation.run("config", "show", "--set", IDOLCHAT_MEMORY="on")

    assert done.returncode == 0
    assert done.stderr.startswith("Warning: IDOLCHAT_MEMORY (environment) is read by nothing that is loaded: ")


def test_what_is_secret_is_masked(installation: Installation) -> None:
    env = {"IDOL_TEST_KEY": "sk-very-secret", "IDOL_TEST_URL": "https://ann:very-secret@example.com/v1"}
    settings = shown(installation, status=0, **env)
    text = installation.run("config", "show", "--set", **env).stdout

    assert (settings["IDOL_TEST_KEY"].value, settings["IDOL_TEST_KEY"].source) == ("********", "environment")
    assert settings["IDOL_TEST_URL"].value == "https://********@example.com/v1"
    assert "secret" not in text
    assert "IDOL_TEST_KEY" in text


def test_a_package_that_is_not_set_up_is_no_error(installation: Installation) -> None:
    (installation.site / "keen_plugin.py").write_text(
        "from pydantic import Field\n"
        "from idolchat_core.settings import PackageSettings\n"
        "class KeenSettings(PackageSettings):\n"
        "    key: int = Field(validation_alias='KEEN_KEY', description='Key.')\n"
    )
    installation.install("idol-keen", "1.0", keen="keen_plugin")
    unset = shown(installation, IDOLCHAT_PLUGINS="test-parts,keen")
    wrong = shown(installation, IDOLCHAT_PLUGINS="test-parts,keen", KEEN_KEY="x", status=1)

    assert (unset["KEEN_KEY"].value, unset["KEEN_KEY"].source) == (None, "default")
    assert "KEEN_KEY" in (unset["KEEN_KEY"].error or "")
    assert "KEEN_KEY is 'x'" in (wrong["KEEN_KEY"].error or "")


def test_a_value_that_lacks_another_is_told_as_the_server_tells_it(installation: Installation) -> None:
    (installation.folder / ".env").write_text("SYSTEM_PROMPT=${NOBODY_SET_THIS}\nIDOLCHAT_BUS=${NOBODY_SET_THIS:-}\n")
    settings = shown(installation, status=1)

    assert settings["SYSTEM_PROMPT"].source == ".env"
    assert "NOBODY_SET_THIS, which is not set" in (settings["SYSTEM_PROMPT"].error or "")
    assert settings["IDOLCHAT_BUS"].source == "default"


@pytest.mark.parametrize(
    ("data", "told"), [("A=1".encode("utf-16"), "save it as UTF-8"), (b"A=1\nnonsense here\n", "line 2 cannot be read")]
)
def test_a_file_that_cannot_be_read_is_told(installation: Installation, data: bytes, told: str) -> None:
    (installation.folder / ".env").write_bytes(data)
    done = installation.run("config", "show")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: .env")
    assert told in done.stderr


def test_names_are_whole_where_there_is_little_room(terminal: Callable[..., pexpect.spawn[str]]) -> None:
    text = terminal("config", "show", columns=80).read()

    assert "IDOLCHAT_API_ADDRESS_REQUESTS_PER_MINUTE " in text


def test_a_setting_that_is_wrong_says_so_beside_the_others(installation: Installation) -> None:
    settings = shown(installation, status=1, IDOLCHAT_PORT="high")

    assert "IDOLCHAT_PORT is 'high'" in (settings["IDOLCHAT_PORT"].error or "")
    assert [one.variable for one in settings.values() if one.error] == ["IDOLCHAT_PORT"]
    assert settings["IDOLCHAT_DATA_DIR"].value == "data"
