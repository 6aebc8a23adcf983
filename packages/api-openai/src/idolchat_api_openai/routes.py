"""``/v1/models`` and ``/v1/chat/completions``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from idolchat_api import Caller, RawRoute, caller_of, read_json, respond, send_json
from idolchat_api.app_state import app_state
from idolchat_api_openai.answers.chat import chat_form
from idolchat_api_openai.beginning import Asked, Begun
from idolchat_api_openai.encoding import json_bytes
from idolchat_api_openai.identity.callers import named_in_body
from idolchat_api_openai.models import RAW, characters_for, may_use_raw, target_of
from idolchat_api_openai.requests.chat import ChatRequest, turn_options
from idolchat_api_openai.requests.errors import ModelUnknown, in_openai_words
from idolchat_api_openai.requests.hints import Hints
from idolchat_api_openai.requests.said import History
from idolchat_api_openai.server import Server, conversation_headers, described
from idolchat_core import DirectoryEntry

__all__ = ["chat_routes", "model_routes"]


class ChatCompletions:
    """``POST /v1/chat/completions``."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with in_openai_words():
            hints = Hints.of(scope["headers"])
            request = await read_json(ChatRequest, scope, receive)
            caller = await named_in_body(caller_of(scope), request.person)
            begun = await self._begin(caller, request, hints)
        await respond(
            app_state(scope),
            begun.turn,
            scope,
            receive,
            send,
            streams=request.stream,
            form=chat_form(request.model, includes_usage=request.includes_usage, names_ids=begun.is_stored),
            headers=conversation_headers(begun),
        )

    async def _begin(self, caller: Caller, request: ChatRequest, hints: Hints) -> Begun:
        asked = Asked(
            target=await target_of(caller, request.model, self._server.settings),
            history=History.of(request.messages),
            hints=hints,
            options=turn_options(request),
            conversation=hints.conversation or request.conversation,
        )
        return await self._server.beginner(caller).begin(caller, asked)


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
        await send_json(send, json_bytes({"object": "list", "data": listed}))


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
        await send_json(send, json_bytes(found))


async def _characters(caller: Caller) -> list[dict[str, Any]]:
    entries = [entry async for entry in characters_for(caller)]
    meant = await _meant_by_slugs(caller, entries)
    return [
        _model(_id_of(entry, meant), int(entry.created_at.timestamp()), entry.directory or "idolchat")
        | {"name": entry.name}
        for entry in entries
    ]


async def _meant_by_slugs(caller: Caller, entries: Sequence[DirectoryEntry]) -> dict[str, UUID | None]:
    """Return whom a slug means that several have, such as a public character and the caller's own."""
    counts = Counter(entry.slug for entry in entries if entry.slug is not None)
    find, user_id = caller.service.characters.find, caller.principal.user_id
    found = {slug: await find(slug, user_id) for slug, count in counts.items() if count > 1}
    return {slug: None if one is None else one.id for slug, one in found.items()}


def _id_of(entry: DirectoryEntry, meant: Mapping[str, UUID | None]) -> str:
    """Return what asks this character: her slug, or her id where the slug means another."""
    return entry.slug if entry.slug and meant.get(entry.slug, entry.id) == entry.id else str(entry.id)


async def _raw_models(scope: Scope) -> list[dict[str, Any]]:
    app = app_state(scope)
    models = await app.models.get()
    return [_model(f"{RAW}{one.id}", 0, app.service.llm_name) for one in models if app.policy.allows_model(one.id)]


def _model(name: str, created: int, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": owner}


def model_routes(server: Server) -> list[RawRoute]:
    """Return the routes of models."""
    raw = {"name": "raw", "in": "query", "required": False, "schema": {"type": "string"}}
    one = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    several = described("List characters, as models", parameters=[raw])
    single = described("Find a character, as a model", parameters=[one])
    return [
        RawRoute("GET", "/v1/models", Models(server), name="v1_models", operation=several),
        RawRoute("GET", "/v1/models/{model:path}", OneModel(server), name="v1_model", operation=single),
    ]


def chat_routes(server: Server) -> list[RawRoute]:
    """Return the routes of chat completions; clients that are told no ``/v1`` find them, too."""
    body = {"model": "mika", "messages": [{"role": "user", "content": "Hello!"}]}
    operation = described("Answer a chat completions request of OpenAI's API", body=body)
    endpoint = ChatCompletions(server)
    return [
        RawRoute("POST", "/v1/chat/completions", endpoint, name="v1_chat_completions", operation=operation),
        RawRoute("POST", "/chat/completions", endpoint, name="chat_completions", operation=operation),
    ]
