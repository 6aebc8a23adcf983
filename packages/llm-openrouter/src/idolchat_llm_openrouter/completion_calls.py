"""Opens a reply, with as many tries as are worth it."""

from __future__ import annotations

import asyncio
import logging

from idolchat_core.llm.contract import CompletionRequest, Delta
from idolchat_llm_openrouter.client import Client
from idolchat_llm_openrouter.completion_stream import Reply, StreamedReply, WholeReply
from idolchat_llm_openrouter.errors import Fault, Faults
from idolchat_llm_openrouter.http import Pace, Response
from idolchat_llm_openrouter.redaction import Discretion
from idolchat_llm_openrouter.request_body import encoded, payload_of
from idolchat_llm_openrouter.retry import Retries
from idolchat_llm_openrouter.settings import OpenRouterSettings
from idolchat_llm_openrouter.timeouts import Limits, Watchdog

__all__ = ["Calls"]

logger = logging.getLogger(__name__)


class Calls:
    """Makes the calls of one provider."""

    def __init__(self, client: Client, settings: OpenRouterSettings) -> None:
        self._client = client
        self._host = settings.host
        self._key = settings.key
        self._model = settings.model
        self._for_openrouter = settings.speaks_openrouter
        self._reply_s = settings.reply_timeout_s
        self._max_reply_bytes = settings.max_reply_bytes
        self._retries = Retries(settings.retries, settings.retry_max_wait_s)
        self._limits = Limits(
            reply_s=settings.reply_timeout_s,
            first_token_s=settings.first_token_timeout_s,
            token_s=settings.token_timeout_s,
        )
        self._pace = Pace()
        self._asks_usage = True  # until the server says that it does not know the field

    async def begin(self, request: CompletionRequest) -> tuple[Reply, list[Delta]]:
        """Open a reply and wait for its first deltas. Raises ``Fault``.

        A call is made again only here, where nothing of its reply has come yet.
        """
        model = request.model or self._model
        faults = Faults(self._host, Discretion(self._key, request.messages), model=model)
        deadline = asyncio.get_running_loop().time() + self._reply_s
        failed = 0
        while True:
            asked_usage = self._asks_usage
            try:
                return await self._attempt(request, model, faults, deadline)
            except Fault as fault:
                if asked_usage and b"stream_options" in fault.body and "stream_options" not in request.options:
                    self._asks_usage = False
                    continue
                failed += 1
                wait_s = self._retries.wait_s(failed, fault)
                if wait_s is None or asyncio.get_running_loop().time() + wait_s >= deadline:
                    raise
                logger.warning(
                    "a call of the model provider failed and is made again",
                    extra={"server": self._host, "code": fault.error.code, "failed": failed, "wait_s": wait_s},
                )
            await asyncio.sleep(wait_s)

    async def _attempt(
        self, request: CompletionRequest, model: str | None, faults: Faults, deadline: float
    ) -> tuple[Reply, list[Delta]]:
        body = encoded(payload_of(request, model, for_openrouter=self._for_openrouter, ask_usage=self._asks_usage))
        watchdog = Watchdog(self._limits, faults, deadline=deadline, streams=request.stream)
        response = await self._client.post_completion(body, faults, watchdog, traceparent=request.traceparent)
        reply = None
        try:
            reply = self._reply(response, faults, watchdog, streams=request.stream)
            return reply, await reply.read()
        except BaseException:
            if reply is not None:
                await reply.close()
            watchdog.stop()
            response.abort()
            raise

    def _reply(self, response: Response, faults: Faults, watchdog: Watchdog, *, streams: bool) -> Reply:
        """Choose by what came, not by what was asked: some servers stream always, some never."""
        kind = response.content_type
        if kind == "text/html":
            raise faults.not_the_api(kind)
        if response.coding:
            raise faults.compressed(response.coding)
        is_json = kind == "application/json" or kind.endswith("+json")
        comes_streamed = not is_json and (streams or kind == "text/event-stream")
        if comes_streamed is not streams:
            watchdog.expect(tokens=comes_streamed)
        if comes_streamed:
            return StreamedReply(response, faults, watchdog, max_bytes=self._max_reply_bytes, pace=self._pace)
        return WholeReply(response, faults, watchdog, max_bytes=self._max_reply_bytes)
