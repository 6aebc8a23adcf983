"""``/v1/models`` and ``/v1/chat/completions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from idolchat_api import Caller, RawRoute, caller_of, read_json, respond, send_json
from idolchat_api.app_state import app_state
from idolchat_api_openai.answers.chat import chat_form
from idolchat_api_openai.beginning import Asked, Beginner
from idolchat_api_openai.identity.callers import named_in_body
from idolchat_api_openai.models import RAW, characters_for, may_use_raw, target_of
from idolchat_api_openai.requests.chat import ChatRequest, turn_options
from idolchat_api_openai.requests.errors import ModelUnknown, in_openai_words
from idolchat_api_openai.requests.hints import Hints
from idolchat_api_openai.requests.said import History
from idolchat_api_openai.settings import OpenAISettings
from idolchat_core import LiveTurn

__all__ = ["Server", "chat_routes", "conversation_header", "model_routes"]


class Server:
    """What the routes of one application share."""

    def __init__(self, settings: OpenAISettings) -> None:
        self.settings = settings
        self._beginner: tuple[object, Beginner] | None = None

    def beginner(self, caller: Caller) -> Beginner:
        """Return what begins turns, made anew where the application was started again."""
        if self._beginner is None or self._beginner[0] is not caller.service:
            self._beginner = caller.service, Beginner(caller, self.settings)
        return self._beginner[1]


class ChatCompletions:
    """``POST /v1/chat/completions``."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with in_openai_words():
            hints = Hints.of(scope["headers"])
            request = await read_json(ChatRequest, scope, receive)
            caller = await named_in_body(caller_of(scope), request.person)
            turn = await self._begin(caller, request, hints)
        await respond(
            app_state(scope),
            turn,
            scope,
            receive,
            send,
            streams=request.stream,
            form=chat_form(request.model, includes_usage=request.includes_usage),
            headers=[conversation_header(turn)],
        )

    async def _begin(self, caller: Caller, request: ChatRequest, hints: Hints) -> LiveTurn:
        asked = Asked(
            target=await target_of(caller, request.model, self._server.settings),
            history=History.of(request.messages),
            hints=hints,
            options=turn_options(request),
            conversation=hints.conversation or request.conversation,
        )
        return await self._server.beginner(caller).begin(caller, asked)


def conversation_header(turn: LiveTurn) -> tuple[bytes, bytes]:
    """Return the header that tells a client our id of its conversation."""
    return b"x-idolchat-conversation", str(turn.conversation_id).encode()


class Models:
    """``GET /v1/models``: whom and what a caller may ask; with ``raw=1`` the provider's models alone."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        only_raw = Request(scope).query_params.get("raw") in ("1", "true")
        caller = caller_of(scope)
        listed = [] if only_raw else await _characters(caller)
        if may_use_raw(caller, self._server.settings):
            listed += await _raw_models(scope)
        await send_json(send, orjson.dumps({"object": "list", "data": listed}))


class OneModel:
    """``GET /v1/models/{model}``."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = str(scope["path_params"]["model"])
        caller = caller_of(scope)
        target = await target_of(caller, name, self._server.settings)
        if target.model is not None:
            found = next((one for one in await _raw_models(scope) if one["id"] == name), None)
            if found is None:
                raise ModelUnknown(f"no model {name}")
        elif target.entry is not None:
            found = _model(name, int(target.entry.created_at.timestamp()), target.entry.directory or "idolchat")
        else:
            found = _model(name, 0, "idolchat")
        await send_json(send, orjson.dumps(found))


async def _characters(caller: Caller) -> list[dict[str, Any]]:
    return [
        _model(entry.slug or str(entry.id), int(entry.created_at.timestamp()), entry.directory or "idolchat")
        | {"name": entry.name}
        async for entry in characters_for(caller)
    ]


async def _raw_models(scope: Scope) -> list[dict[str, Any]]:
    app = app_state(scope)
    models = await app.models.get()
    return [_model(f"{RAW}{one.id}", 0, app.service.llm_name) for one in models if app.policy.allows_model(one.id)]


def _model(name: str, created: int, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": owner}


_JSON: Mapping[str, Any] = {"description": "As OpenAI answers.", "content": {"application/json": {}}}
_ERROR: Mapping[str, Any] = {
    "description": "As OpenAI words it.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}},
}


def model_routes(server: Server) -> list[RawRoute]:
    """Return the routes of models."""
    raw = {"name": "raw", "in": "query", "required": False, "schema": {"type": "string"}}
    one = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    described = {"tags": ["openai"], "responses": {"200": _JSON, "default": _ERROR}}
    return [
        RawRoute(
            "GET",
            "/v1/models",
            Models(server),
            name="v1_models",
            operation={"summary": "List characters, as models", "parameters": [raw], **described},
        ),
        RawRoute(
            "GET",
            "/v1/models/{model:path}",
            OneModel(server),
            name="v1_model",
            operation={"summary": "Find a character, as a model", "parameters": [one], **described},
        ),
    ]


def chat_routes(server: Server) -> list[RawRoute]:
    """Return the routes of chat completions; clients that are told no ``/v1`` find them, too."""
    body = {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model", "messages"],
                    "properties": {
                        "model": {"type": "string", "description": "A character's slug or id, or raw/<model>."},
                        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
                        "stream": {"type": "boolean"},
                    },
                },
                "example": {"model": "mika", "messages": [{"role": "user", "content": "Hello!"}]},
            }
        },
    }
    told: Mapping[str, Any] = {"application/json": {}, "text/event-stream": {}}
    operation = {
        "tags": ["openai"],
        "summary": "Answer a chat completions request of OpenAI's API",
        "description": "The conversation is stored: see docs/v1.md. Events with `stream`.",
        "requestBody": body,
        "responses": {"200": {**_JSON, "content": told}, "default": _ERROR},
    }
    endpoint = ChatCompletions(server)
    return [
        RawRoute("POST", "/v1/chat/completions", endpoint, name="v1_chat_completions", operation=operation),
        RawRoute("POST", "/chat/completions", endpoint, name="chat_completions", operation=operation),
    ]
