"""How much the provider's models can read."""

from __future__ import annotations

import asyncio
import logging
import time

from idolchat_core.errors import ProviderError
from idolchat_core.llm.contract import LLMProvider, ModelInfo

__all__ = ["ModelCatalog"]

log = logging.getLogger(__name__)

KEPT_S = 3600.0
RETRY_S = 60.0
WAIT_S = 3.0


class ModelCatalog:
    """The provider's list of models, fetched when first needed and again every hour, by one request at a time."""

    def __init__(self, llm: LLMProvider) -> None:
        self._llm = llm
        self._models: dict[str, ModelInfo] = {}
        self._fresh_until = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def context_length(self, model: str | None) -> int | None:
        """Return a model's context window in tokens; None when the provider does not tell, or not within 3 seconds."""
        known = await self._find(model)
        return known.context_length if known else None

    async def prompt_form(self, model: str | None) -> tuple[bool, bool]:
        """Return whether a model takes system messages after the first of the user, and a history that begins with a
        reply; yes where the provider does not tell."""
        known = await self._find(model)
        return (known.late_system, known.assistant_first) if known else (True, True)

    async def _find(self, model: str | None) -> ModelInfo | None:
        if time.monotonic() >= self._fresh_until:
            if self._fetching is None:
                self._fetching = asyncio.create_task(self._fetch())
            if not self._models:
                await asyncio.wait({self._fetching}, timeout=WAIT_S)
        known = self._models.get(model or "")
        if known is None and model is None and len(self._models) == 1:
            known = next(iter(self._models.values()))
        return known

    async def close(self) -> None:
        """Stop fetching."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    async def _fetch(self) -> None:
        try:
            self._models = {model.id: model for model in await self._llm.list_models()}
            self._fresh_until = time.monotonic() + KEPT_S
        except ProviderError as error:
            log.warning("the provider does not list its models", extra={"code": error.code})
            self._fresh_until = time.monotonic() + RETRY_S
        finally:
            self._fetching = None
