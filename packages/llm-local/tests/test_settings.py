"""The variables, each read and each checked; what they do is tested where it is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from idolchat_core import ConfigurationError, read_settings
from idolchat_llm_local import LocalSettings

GIVEN = {
    "IDOLCHAT_LOCAL_MODEL": "~/models/some.gguf",
    "IDOLCHAT_LOCAL_CONTEXT_LENGTH": "4096",
    "IDOLCHAT_LOCAL_MAX_TOKENS": "99",
    "IDOLCHAT_LOCAL_PARALLEL": "3",
    "IDOLCHAT_LOCAL_THREADS": "5",
    "IDOLCHAT_LOCAL_GPU_LAYERS": "7",
    "IDOLCHAT_LOCAL_CACHE_MIB": "0",
}


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)

    assert read_settings(LocalSettings) == LocalSettings(
        model=Path("~/models/some.gguf").expanduser(),
        context_length=4096,
        max_tokens=99,
        parallel=3,
        threads=5,
        gpu_layers=7,
        cache_mib=0,
    )


def test_every_field_has_a_variable_and_says_what_it_does() -> None:
    fields = LocalSettings.model_fields.values()

    assert {field.validation_alias for field in fields} == GIVEN.keys()
    assert all(field.description for field in fields)


@pytest.mark.parametrize("variable", [name for name in GIVEN if name != "IDOLCHAT_LOCAL_MODEL"])
def test_a_wrong_number_is_refused_by_its_variable_s_name(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "-1")

    with pytest.raises(ConfigurationError, match=variable):
        read_settings(LocalSettings)
