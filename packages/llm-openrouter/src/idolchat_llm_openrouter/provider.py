"""The provider for OpenRouter and any server that speaks the OpenAI chat completions API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from idolchat_core import (
    CompletionRequest,
    ConfigurationError,
    Delta,
    Finished,
    LLMProvider,
    ModelInfo,
    OnDeltas,
    PaymentRequired,
    ProviderError,
    Usage,
    read_settings,
)
from idolchat_llm_openrouter.client import Client, open_client
from idolchat_llm_openrouter.completion_calls import CompletionCalls
from idolchat_llm_openrouter.completion_stream import CompletionReader
from idolchat_llm_openrouter.errors import CallFailed, ErrorMapper
from idolchat_llm_openrouter.http import open_http
from idolchat_llm_openrouter.model_list import ModelList, models_in
from idolchat_llm_openrouter.redaction import Redactor
from idolchat_llm_openrouter.settings import OPENROUTER_URL, OpenRouterSettings
from idolchat_llm_openrouter.transport import OpenTransport
from idolchat_llm_openrouter.usage import generation_usage

__all__ = ["OpenRouterProvider", "open_openrouter"]

CHECK_TIMEOUT_S = 5.0
LIST_TIMEOUT_S = 20.0
RECONCILE_TIMEOUT_S = 10.0
LIST_MAX_AGE_S = 300.0
MAX_PAGES = 50


class OpenRouterProvider(LLMProvider):
    """Answers with the models of one server."""

    def __init__(self, client: Client, settings: OpenRouterSettings) -> None:
        self.default_model = settings.model
        self.can_reconcile = settings.speaks_openrouter
        self._client = client
        self._settings = settings
        self._calls = CompletionCalls(client, settings)
        self._model_list = ModelList(self._fetch_models, max_age_s=LIST_MAX_AGE_S)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Finished]:
        """Stream the reply; deltas that arrived together are yielded without waiting in between."""
        reply: CompletionReader | None = None
        try:
            reply, deltas = await self._calls.begin(request)
            while deltas:
                for delta in deltas:
                    yield delta
                deltas = await reply.read()
            yield reply.finished
        except CallFailed as failure:
            raise failure.released() from failure.__cause__
        finally:
            if reply is not None:
                await reply.close()

    async def answer(self, request: CompletionRequest, on_deltas: OnDeltas) -> Finished:
        """Stream the reply, passing deltas on in the moment they are read."""
        reply: CompletionReader | None = None
        try:
            reply, deltas = await self._calls.begin(request)
            await reply.deliver(deltas, on_deltas)
            return reply.finished
        except CallFailed as failure:
            raise failure.released() from failure.__cause__
        finally:
            if reply is not None:
                await reply.close()

    async def list_models(self) -> Sequence[ModelInfo]:
        """Return the list of the server, at most five minutes old."""
        return await self._model_list.models()

    async def check(self) -> None:
        """Fetch what proves key and reach: the key's own record at OpenRouter, the list of models elsewhere."""
        with_key = self._settings.speaks_openrouter and self._settings.key
        told = await self._get("/key" if with_key else "/models", timeout_s=CHECK_TIMEOUT_S)
        if with_key and _is_used_up(told):
            raise PaymentRequired(
                f"the key for {self._settings.host} has reached its limit; raise it or set another OPENROUTER_API_KEY"
            )

    async def reconcile(self, completion_id: str) -> Usage | None:
        """Ask OpenRouter what a generation took, cancelled ones too; it knows some seconds after the end."""
        if not self.can_reconcile:
            return None
        try:
            query = urlencode({"id": completion_id})
            told = await self._get(f"/generation?{query}", timeout_s=RECONCILE_TIMEOUT_S)
        except ProviderError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return generation_usage(told)

    async def close(self) -> None:
        """Stop background work."""
        await self._model_list.close()

    async def _fetch_models(self) -> Sequence[ModelInfo]:
        found: dict[str, ModelInfo] = {}
        path: str | None = "/models"
        for _ in range(MAX_PAGES):
            if path is None:
                break
            told = await self._get(path, timeout_s=LIST_TIMEOUT_S)
            found |= {model.id: model for model in models_in(told)}
            path = _next_page(told)
        return list(found.values())

    async def _get(self, path: str, *, timeout_s: float) -> Any:
        try:
            return await self._client.get(path, self._error_mapper(), timeout_s=timeout_s)
        except CallFailed as failure:
            raise failure.released() from failure.__cause__

    def _error_mapper(self) -> ErrorMapper:
        return ErrorMapper(self._settings.host, Redactor(self._settings.key))


def _is_used_up(told: Any) -> bool:
    about = told.get("data") if isinstance(told, dict) else None
    left = about.get("limit_remaining") if isinstance(about, dict) else None
    return isinstance(left, int | float) and left <= 0


def _next_page(listed: Any) -> str | None:
    """Find the next page of OpenRouter's list; only the query of its link is used, so the key goes to no other host."""
    links = listed.get("links") if isinstance(listed, dict) else None
    following = links.get("next") if isinstance(links, Mapping) else None
    if not isinstance(following, str) or not following:
        return None
    return f"/models?{urlencode(parse_qs(urlsplit(following).query), doseq=True)}"


@asynccontextmanager
async def open_openrouter(
    settings: OpenRouterSettings | None = None, *, open_transport: OpenTransport = open_http
) -> AsyncIterator[OpenRouterProvider]:
    """Open the provider, without asking the server anything yet. Raises ``ConfigurationError``."""
    settings = settings or read_settings(OpenRouterSettings)
    if settings.at_openrouter and settings.key is None:
        raise ConfigurationError(
            "OPENROUTER_API_KEY is not set; write the key of your OpenRouter account into it or into .env,"
            f" or set OPENROUTER_BASE_URL to another server than {OPENROUTER_URL}"
        )
    async with open_client(settings, open_transport) as client:
        provider = OpenRouterProvider(client, settings)
        try:
            yield provider
        finally:
            await provider.close()
