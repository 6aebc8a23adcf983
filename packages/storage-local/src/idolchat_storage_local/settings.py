"""Settings of local storage."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from idolchat_core import PackageSettings, UserPath

__all__ = ["LocalSettings"]


class LocalSettings(PackageSettings):
    """Where conversations are kept."""

    data_dir: UserPath = Field(
        Path("data"),
        validation_alias="IDOLCHAT_DATA_DIR",
        description="Folder of everything kept on this machine; made when it is missing.",
    )
