"""The list of models of a server: its forms, and a cache."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from idolchat_core import ModelInfo, ProviderError
from idolchat_llm_openrouter.prompt_cache import takes_assistant_first, takes_late_system

__all__ = ["ModelList", "models_in"]

logger = logging.getLogger(__name__)

CONTEXT_LENGTHS = ("context_length", "max_model_len", "context_window", "max_context_length")
"""The names at OpenRouter and Together, vLLM, Groq, and Mistral."""

TRAINED_LENGTHS = ("n_ctx", "n_ctx_train")
"""The names at llama.cpp's server, inside ``meta``."""


class ModelList:
    """Caches the list; callers at the same time share one request."""

    def __init__(self, fetch: Callable[[], Awaitable[Sequence[ModelInfo]]], *, max_age_s: float) -> None:
        self._fetch = fetch
        self._max_age_s = max_age_s
        self._models: Sequence[ModelInfo] | None = None
        self._fresh_until = 0.0
        self._fetching: asyncio.Task[Sequence[ModelInfo]] | None = None

    async def models(self) -> Sequence[ModelInfo]:
        """Return the list, an old one if the server fails. Raises ``ProviderError`` if there never was one."""
        if self._models is not None and time.monotonic() < self._fresh_until:
            return self._models
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._refreshed())
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)

    async def close(self) -> None:
        """Cancel a request that is running."""
        if self._fetching is not None:
            self._fetching.cancel()
            with suppress(asyncio.CancelledError, ProviderError):
                await self._fetching

    async def _refreshed(self) -> Sequence[ModelInfo]:
        try:
            self._models = await self._fetch()
        except ProviderError as error:
            if self._models is None:
                raise
            logger.warning("the list of models could not be renewed", extra={"code": error.code})
        self._fresh_until = time.monotonic() + self._max_age_s
        return self._models

    def _fetched(self, task: asyncio.Task[Sequence[ModelInfo]]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # those who asked have it; they may have left


def models_in(listed: object) -> list[ModelInfo]:
    """Read the models of a list; entries in no known form are left out."""
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
        late_system=takes_late_system(entry["id"]),
        assistant_first=takes_assistant_first(entry["id"]),
        input_modalities=_names(entry.get("architecture"), "input_modalities"),
    )


def _names(fields: object, name: str) -> tuple[str, ...] | None:
    values = fields.get(name) if isinstance(fields, dict) else None
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else None


def _first_number(fields: object, names: tuple[str, ...]) -> int | None:
    values = (fields.get(name) for name in names) if isinstance(fields, dict) else ()
    return next((int(value) for value in values if isinstance(value, int | float) and 0 < value < 1 << 53), None)
