"""The list of models, in the forms that servers give it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idolchat_core.llm.contract import ModelInfo

__all__ = ["models_in"]

CONTEXT_LENGTHS = ("context_length", "max_model_len", "context_window", "max_context_length")
"""Where OpenRouter and Together, vLLM, Groq, and Mistral tell it."""

TRAINED_LENGTHS = ("n_ctx", "n_ctx_train")
"""Where llama.cpp's server tells it, inside ``meta``."""


def models_in(listed: object) -> list[ModelInfo]:
    """Read a list of models; entries that are none are left out."""
    entries = listed.get("data") if isinstance(listed, dict) else listed
    return list(_readable(entries)) if isinstance(entries, list) else []


def _readable(entries: list[Any]) -> Iterator[ModelInfo]:
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry["id"]:
            yield _model(entry)


def _model(entry: Mapping[str, Any]) -> ModelInfo:
    provider = entry.get("top_provider")
    meta = entry.get("meta")
    name = entry.get("name")
    return ModelInfo(
        id=entry["id"],
        context_length=_first_number(entry, CONTEXT_LENGTHS) or _first_number(meta, TRAINED_LENGTHS),
        name=name if isinstance(name, str) else None,
        max_output_tokens=_first_number(provider, ("max_completion_tokens",))
        or _first_number(entry, ("max_completion_tokens",)),
    )


def _first_number(fields: object, names: tuple[str, ...]) -> int | None:
    values = (fields.get(name) for name in names) if isinstance(fields, dict) else ()
    return next((int(value) for value in values if isinstance(value, int | float) and 0 < value < 1 << 53), None)
