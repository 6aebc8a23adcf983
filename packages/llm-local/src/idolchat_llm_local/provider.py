"""The provider: one model on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager

from idolchat_core import CompletionRequest, Delta, Finished, LLMProvider, ModelInfo, ModelNotFound, read_settings
from idolchat_llm_local.body import completion_body
from idolchat_llm_local.cores import usable_cores
from idolchat_llm_local.engine import Engine
from idolchat_llm_local.reply import Reply
from idolchat_llm_local.settings import LocalSettings
from idolchat_llm_local.weights import VARIABLE, Weights, find_weights
from idolchat_llm_local.worker import WorkerConfig

__all__ = ["LocalProvider", "open_local_llm"]

CHARACTER = (
    "You are Mika, a cheerful young idol singer. You are talking with a fan after a concert. Speak as Mika, in the"
    " first person, warmly and in two or three short sentences. You love your songs, your stage and your fans."
)
"""Whom the small model plays where nobody says: its own template has it be an AI assistant."""


class LocalProvider(LLMProvider):
    """Answers with one model, ``parallel`` replies at a time; further requests wait in the order they came."""

    is_embedded = True

    def __init__(
        self, engine: Engine, model: ModelInfo, *, parallel: int, max_tokens: int, system_prompt: str | None = None
    ) -> None:
        self.default_model: str = model.id
        self._engine = engine
        self._model = model
        self._max_tokens = max_tokens
        self._system_prompt = system_prompt
        self._turnstile = asyncio.Semaphore(parallel)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Finished]:
        """Answer. Raises ``ModelNotFound``, ``ContextTooLong``, ``RequestRefused``, ``ProviderUnavailable``.

        Also raises ``ConfigurationError`` when the model cannot be loaded.
        """
        if request.model not in (None, self._model.id):
            raise ModelNotFound(
                f"no model named {request.model!r}; the local provider has {self._model.id}: ask for that, or name"
                f" none; {VARIABLE} chooses another file",
                status=404,
            )
        async with self._turnstile:
            worker = await self._engine.worker()
            body = completion_body(
                request,
                knows_tools=worker.facts.knows_tools,
                max_tokens=self._max_tokens,
                system_prompt=self._system_prompt,
            )
            reply = Reply(self._model.id)
            async with aclosing(worker.complete(body)) as chunks:
                async for chunk in chunks:
                    if delta := reply.read(chunk):
                        yield delta
                    if reply.is_looping:
                        break
            yield reply.end()

    async def list_models(self) -> Sequence[ModelInfo]:
        return [self._model]

    async def check(self) -> None:
        """Return when the model is loaded, or raise why it is not, waiting a few seconds for it."""
        await self._engine.check()


@asynccontextmanager
async def open_local_llm(settings: LocalSettings | None = None) -> AsyncGenerator[LocalProvider]:
    """Open the embedded model: loading begins, and requests wait for its end. Raises ``ConfigurationError``."""
    settings = settings or read_settings(LocalSettings)
    weights = find_weights(settings)
    context_length = min(settings.context_length, weights.context_length or settings.context_length)
    config = _config(settings, weights, context_length)
    async with Engine(config) as engine:
        model = ModelInfo(id=weights.model_id, context_length=context_length, input_modalities=("text",))
        yield LocalProvider(
            engine,
            model,
            parallel=settings.parallel,
            max_tokens=settings.max_tokens,
            system_prompt=CHARACTER if weights.is_carried else None,
        )


def _config(settings: LocalSettings, weights: Weights, context_length: int) -> WorkerConfig:
    return WorkerConfig(
        path=str(weights.path),
        context_length=context_length,
        parallel=settings.parallel,
        threads=settings.threads or usable_cores(),
        gpu_layers=settings.gpu_layers,
        cache_mib=settings.cache_mib,
    )
