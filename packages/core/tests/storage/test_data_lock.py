"""One server to a data folder; that it holds between processes is shown in process/test_server.py."""

import os
import stat
from pathlib import Path

import pytest

from idolchat_core.errors import ConfigurationError
from idolchat_core.storage.data_lock import LOCK_FILE, locked_data_folder


def test_the_folder_is_made_and_its_holder_told(tmp_path: Path) -> None:
    with locked_data_folder(tmp_path / "new" / "data"):
        assert (tmp_path / "new" / "data" / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_a_held_folder_is_refused(tmp_path: Path) -> None:
    with (
        locked_data_folder(tmp_path),
        pytest.raises(ConfigurationError, match=f"process {os.getpid()}"),
        locked_data_folder(tmp_path),
    ):
        pass


def test_a_folder_can_be_held_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="boom"), locked_data_folder(tmp_path):
        raise RuntimeError("boom")

    with locked_data_folder(tmp_path):
        pass


def test_a_folder_that_is_made_is_its_owner_s_alone(tmp_path: Path) -> None:
    with locked_data_folder(tmp_path / "data"):
        mode = (tmp_path / "data").stat().st_mode

    assert stat.S_IMODE(mode) == 0o700
