"""Memory opened by its settings: with the model, without it, and with a wrong one."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from idolchat_core import ConfigurationError, read_settings
from idolchat_core.testing import InMemoryStorage
from idolchat_memory.service import open_memory
from idolchat_memory.settings import MemorySettings


async def test_the_model_is_loaded_when_it_is_needed(tmp_path: Path) -> None:
    async with open_memory(read_settings(MemorySettings, data_dir=tmp_path), InMemoryStorage()) as memory:
        assert memory.model is not None
        assert await memory.model.load() is await memory.model.load() is not None
        assert memory.lexical_reason is None
        assert (tmp_path / "memory" / "index.sqlite").exists()


async def test_off_says_so(tmp_path: Path) -> None:
    settings = read_settings(MemorySettings, data_dir=tmp_path, semantic="off")
    async with open_memory(settings, InMemoryStorage()) as memory:
        assert memory.model is None
        assert memory.lexical_reason == "IDOLCHAT_MEMORY_SEMANTIC is off"


async def test_a_model_that_cannot_be_used_leaves_words_alone_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = read_settings(MemorySettings, data_dir=tmp_path, model_path=tmp_path / "none.onnx")

    with caplog.at_level(logging.WARNING):
        async with open_memory(settings, InMemoryStorage()) as memory:
            assert memory.model is not None
            assert await memory.model.load() is None
            assert "none.onnx cannot be read" in str(memory.lexical_reason)
    assert [record.message for record in caplog.records] == ["memory goes by words alone"]


async def test_a_model_that_must_be_there_stops_the_start(tmp_path: Path) -> None:
    settings = read_settings(MemorySettings, data_dir=tmp_path, semantic="on", model_path=tmp_path / "none.onnx")

    with pytest.raises(ConfigurationError, match=r"none.onnx cannot be read"):
        async with open_memory(settings, InMemoryStorage()):
            pass


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDOLCHAT_MEMORY_SEMANTIC", "maybe")

    with pytest.raises(ConfigurationError, match="IDOLCHAT_MEMORY_SEMANTIC is 'maybe'"):
        read_settings(MemorySettings)


def test_nothing_of_the_extra_is_imported_without_need() -> None:
    code = (
        "import sys, idolchat_memory.plugin, idolchat_memory.feed, idolchat_memory.prompt;"
        "print(sorted({'numpy', 'onnxruntime', 'tokenizers'} & sys.modules.keys()))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
