from pathlib import Path

import pytest

from idolchat_core import read_settings
from idolchat_storage_local import LocalSettings


def test_data_is_kept_in_the_working_folder_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IDOLCHAT_DATA_DIR", raising=False)
    assert read_settings(LocalSettings).data_dir == Path("data")

    monkeypatch.setenv("IDOLCHAT_DATA_DIR", "/srv/idolchat")
    assert read_settings(LocalSettings).data_dir == Path("/srv/idolchat")


def test_the_settings_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IDOLCHAT_DATA_DIR", raising=False)
    (tmp_path / ".env").write_text("IDOLCHAT_DATA_DIR=elsewhere\n")

    assert read_settings(LocalSettings).data_dir == Path("elsewhere")


def test_a_data_folder_may_stand_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IDOLCHAT_DATA_DIR", "~/idol")

    assert read_settings(LocalSettings).data_dir == tmp_path / "idol"
