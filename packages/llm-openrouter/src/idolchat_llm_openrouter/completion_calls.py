"""Opens a reply, with retries."""

from __future__ import annotations

import asyncio
import logging

from idolchat_core import CompletionRequest, Delta
from idolchat_llm_openrouter.client import Client
from idolchat_llm_openrouter.completion_stream import CompletionReader, ReplyRules, StreamedCompletion, WholeCompletion
from idolchat_llm_openrouter.errors import CallFailed, ErrorMapper
from idolchat_llm_openrouter.redaction import Redactor
from idolchat_llm_openrouter.request_body import encoded, payload_of
from idolchat_llm_openrouter.retry import Retries
from idolchat_llm_openrouter.settings import OpenRouterSettings
from idolchat_llm_openrouter.timeouts import AttemptTimer, Limits
from idolchat_llm_openrouter.transport import Response, content_coding, media_type

__all__ = ["CompletionCalls"]

logger = logging.getLogger(__name__)


class CompletionCalls:
    """The completion calls of one provider."""

    def __init__(self, client: Client, settings: OpenRouterSettings) -> None:
        self._client = client
        self._host = settings.host
        self._key = settings.key
        self._model = settings.model
        self._for_openrouter = settings.speaks_openrouter
        self._reply_s = settings.reply_timeout_s
        self._rules = ReplyRules(
            max_bytes=settings.max_reply_bytes,
            done_is_finish=settings.done_is_finish,
            think_as_reasoning=settings.think_as_reasoning,
        )
        self._retries = Retries(settings.retries, settings.retry_max_wait_s)
        self._limits = Limits(
            reply_s=settings.reply_timeout_s,
            first_token_s=settings.first_token_timeout_s,
            token_s=settings.token_timeout_s,
        )
        self._asks_usage = True  # until the server says that it does not know the field

    async def begin(self, request: CompletionRequest) -> tuple[CompletionReader, list[Delta]]:
        """Open a reply and wait for its first deltas. Raises ``CallFailed``.

        A call is made again only here, where nothing of its reply has come yet.
        """
        model = request.model or self._model
        errors = ErrorMapper(self._host, Redactor(self._key, request.messages), model=model)
        deadline = asyncio.get_running_loop().time() + self._reply_s
        failed = 0
        while True:
            asked_usage = self._asks_usage
            try:
                return await self._attempt(request, model, errors, deadline)
            except CallFailed as failure:
                if asked_usage and b"stream_options" in failure.body and "stream_options" not in request.options:
                    self._asks_usage = False
                    continue
                failed += 1
                wait_s = self._retries.wait_s(failed, failure)
                if wait_s is None or asyncio.get_running_loop().time() + wait_s >= deadline:
                    raise
                logger.warning(
                    "a call of the model provider failed and is made again",
                    extra={"server": self._host, "code": failure.error.code, "failed": failed, "wait_s": wait_s},
                )
            await asyncio.sleep(wait_s)

    async def _attempt(
        self, request: CompletionRequest, model: str | None, errors: ErrorMapper, deadline: float
    ) -> tuple[CompletionReader, list[Delta]]:
        body = encoded(payload_of(request, model, for_openrouter=self._for_openrouter, ask_usage=self._asks_usage))
        timer = AttemptTimer(self._limits, errors, deadline=deadline, streams=request.stream)
        response = await self._client.post_completion(body, errors, timer, traceparent=request.traceparent)
        reply = None
        try:
            reply = self._reply(response, errors, timer, streams=request.stream)
            return reply, await reply.read()
        except BaseException:
            if reply is not None:
                await reply.close()
            timer.stop()
            response.abort()
            raise

    def _reply(
        self, response: Response, errors: ErrorMapper, timer: AttemptTimer, *, streams: bool
    ) -> CompletionReader:
        """Choose the reader by the response, not the request: some servers always stream, some never."""
        kind = media_type(response)
        if kind == "text/html":
            raise errors.not_the_api(kind)
        if coding := content_coding(response):
            raise errors.compressed(coding)
        is_json = kind == "application/json" or kind.endswith("+json")
        comes_streamed = not is_json and (streams or kind == "text/event-stream")
        if comes_streamed is not streams:
            timer.expect(tokens=comes_streamed)
        reader = StreamedCompletion if comes_streamed else WholeCompletion
        return reader(response, errors, timer, self._rules)
