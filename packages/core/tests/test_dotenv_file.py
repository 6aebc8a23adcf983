"""The file ``.env``: what cannot be used is told by its line."""

from pathlib import Path

import pytest

from idolchat_core.errors import ConfigurationError
from idolchat_core.settings import CoreSettings, read_settings


@pytest.fixture
def dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".env"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("SYSTEM_PROMPT=Sing".encode("utf-16"), "UTF-16.*save it as UTF-8"),
        ("A=1\nSYSTEM_PROMPT=Chant\u00e9".encode("latin-1"), "line 2 .*Latin-1"),
        (b"A=1\n\nSYSTEM_PROMPT You are Mika\n", "line 3 cannot be read"),
        (b'SYSTEM_PROMPT="You are\n', "line 1 cannot be read"),
        (b"A=1\nSYSTEM_PROMPT=Call me ${NOBODY_SET_THIS}\n", "line 2: SYSTEM_PROMPT takes .* NOBODY_SET_THIS"),
    ],
)
def test_what_cannot_be_used_is_told_by_its_line(dotenv: Path, data: bytes, told: str) -> None:
    dotenv.write_bytes(data)

    with pytest.raises(ConfigurationError, match=told) as raised:
        read_settings(CoreSettings)
    assert "You are" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("\ufeffSYSTEM_PROMPT=Sing\n", "Sing"),
        ("NAME=Mika\nSYSTEM_PROMPT=I am ${NAME}\n", "I am Mika"),
        ("SYSTEM_PROMPT=I am ${NOBODY_SET_THIS:-Mika}\n", "I am Mika"),
        ("SYSTEM_PROMPT=It costs $5\nOTHERS=${NOBODY_SET_THIS}\n", "It costs $5"),
    ],
)
def test_what_can_be_used_is(dotenv: Path, text: str, prompt: str) -> None:
    dotenv.write_text(text, encoding="utf-8")

    assert read_settings(CoreSettings).system_prompt == prompt


def test_a_data_folder_may_stand_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IDOLCHAT_DATA_DIR", "~/idol")

    assert read_settings(CoreSettings).data_dir == tmp_path / "idol"


def test_the_home_folder_of_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDOLCHAT_DATA_DIR", "~nobody-has-this-name/idol")

    with pytest.raises(ConfigurationError, match=r"IDOLCHAT_DATA_DIR.*write the path in full"):
        read_settings(CoreSettings)
