"""A provider that says what it is told, for tests of what uses one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from idolchat_core.errors import ContextTooLong, ModelNotFound, ProviderError
from idolchat_core.llm.contract import CompletionRequest, Delta, Finished, LLMProvider, ModelInfo
from idolchat_core.models import Usage

__all__ = ["ScriptedProvider", "Step"]

type Step = str | Delta | Finished | Exception | asyncio.Event
"""A part of a reply: text to say, a delta or an end as it is, an error to raise, an event to wait for."""

MODEL = ModelInfo(id="scripted/model", context_length=8192)


class ScriptedProvider(LLMProvider):
    """Answers with the given replies in turn, and when there are none left, with the user's last words.

    A reply is a text, said word by word, or a series of steps. Without a ``Finished`` of its own it ends
    with ``stop``, or with ``length`` where ``max_tokens`` is reached; each delta counts as one output token.
    The tokens of a prompt are a quarter of its characters, and four a message. ``requests`` are those
    received, oldest first; ``check_error`` is what ``check`` raises.
    """

    def __init__(
        self,
        *replies: str | Iterable[Step],
        models: Sequence[ModelInfo] = (MODEL,),
        default_model: str | None = MODEL.id,
    ) -> None:
        self.default_model = default_model
        self.requests: list[CompletionRequest] = []
        self.check_error: ProviderError | None = None
        self._replies = list(replies)
        self._models = {model.id: model for model in models}
        self._running = 0
        self._changed = asyncio.Event()

    def say(self, *replies: str | Iterable[Step]) -> None:
        """Add replies for the requests to come."""
        self._replies.extend(replies)

    async def wait_for_replies(self, count: int) -> None:
        """Wait until exactly ``count`` replies are being made."""
        while self._running != count:
            await self._changed.wait()

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Finished]:
        """Answer with the next reply. Raises ``ModelNotFound``, ``ContextTooLong``, or its error."""
        self.requests.append(request)
        steps = self._next_reply(request)
        with self._one_more_running():
            model = self._model(request)
            usage = Usage(input_tokens=_fitting(request, model))
            limit = request.options.get("max_tokens")
            async for step in _performed(steps):
                if isinstance(step, Finished):
                    yield step
                    return
                said = usage.output_tokens + 1
                yield step if said > 1 or step.model else Delta(step.content, step.fields, model.id)
                usage = usage.model_copy(update={"output_tokens": said})
                if said == limit:
                    yield Finished(finish_reason="length", usage=usage, model=model.id)
                    return
            yield Finished(finish_reason="stop", usage=usage, model=model.id)

    async def list_models(self) -> Sequence[ModelInfo]:
        """Return the models given at the start."""
        return list(self._models.values())

    async def check(self) -> None:
        """Return, or raise ``check_error``."""
        if self.check_error is not None:
            raise self.check_error

    def _next_reply(self, request: CompletionRequest) -> Iterator[Step]:
        reply = self._replies.pop(0) if self._replies else _last_words(request.messages)
        return iter(_words(reply) if isinstance(reply, str) else reply)

    def _model(self, request: CompletionRequest) -> ModelInfo:
        wanted = request.model or self.default_model or next(iter(self._models))
        if wanted not in self._models:
            raise ModelNotFound(f"no model named {wanted!r}; there are: {', '.join(self._models)}")
        return self._models[wanted]

    @contextmanager
    def _one_more_running(self) -> Iterator[None]:
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._running += change
        self._changed.set()
        self._changed = asyncio.Event()


async def _performed(steps: Iterator[Step]) -> AsyncGenerator[Delta | Finished]:
    for step in steps:
        await asyncio.sleep(0)  # as over a network, others run between two deltas
        match step:
            case asyncio.Event():
                await step.wait()
            case Exception():
                raise step
            case str():
                yield Delta(step)
            case _:
                yield step


def _fitting(request: CompletionRequest, model: ModelInfo) -> int:
    tokens = sum(4 + len(_text(message)) // 4 for message in request.messages)
    if model.context_length is not None and tokens >= model.context_length:
        raise ContextTooLong(f"the prompt has {tokens} tokens, and {model.id} reads {model.context_length}")
    return tokens


def _last_words(messages: Sequence[Mapping[str, Any]]) -> str:
    return next((_text(message) for message in reversed(messages) if message["role"] == "user"), "")


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*|\s+", text)
