"""``/v1/responses`` and ``/v1/conversations``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from idolchat_api import Caller, NotFound, RawRoute, Wants, caller_of, read_json, respond, send_json
from idolchat_api.app_state import app_state
from idolchat_api_openai.beginning import Asked, Begun
from idolchat_api_openai.encoding import json_bytes
from idolchat_api_openai.identity.callers import named_in_body
from idolchat_api_openai.matching.reserved import Reserved
from idolchat_api_openai.models import target_of
from idolchat_api_openai.requests.errors import BadRequest, in_openai_words, validated
from idolchat_api_openai.requests.hints import Hints
from idolchat_api_openai.requests.responses import ResponsesRequest, response_options
from idolchat_api_openai.requests.said import History
from idolchat_api_openai.responses.form import RequestFacts, response_form, response_object
from idolchat_api_openai.responses.items import items_of, messages_of, output_of
from idolchat_api_openai.responses.stored import StoredReply, branch_to, find_reply
from idolchat_api_openai.server import Server, conversation_headers, described
from idolchat_core import After, ConversationNotFound, Message, NewMessage, TurnState, new_id

__all__ = ["RULES", "response_routes"]

MAX_LISTED = 100


class CreateResponse:
    """``POST /v1/responses``."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with in_openai_words():
            hints = replace(Hints.of(scope["headers"]), is_sdk=True)  # no front end with a button for another reply
            request = await read_json(ResponsesRequest, scope, receive)
            caller = await named_in_body(caller_of(scope), request.person)
            begun = await self._begin(caller, request, hints)
        form = response_form(_facts(request, stores=begun.is_stored))
        streams, headers = request.stream, conversation_headers(begun)
        await respond(app_state(scope), begun.turn, scope, receive, send, streams=streams, form=form, headers=headers)

    async def _begin(self, caller: Caller, request: ResponsesRequest, hints: Hints) -> Begun:
        messages = await messages_of(request.input, request.instructions, lambda item: _reply_of(caller, item))
        asked = Asked(
            target=await target_of(caller, request.model, self._server.settings),
            history=History.of(messages),
            hints=hints,
            options=response_options(request),
            conversation=hints.conversation,
            stores=request.store,
        )
        beginner = self._server.beginner(caller)
        return await beginner.begin(caller, await _placed(caller, request, asked))


async def _reply_of(caller: Caller, item: str) -> Message | None:
    found = await find_reply(caller, item)
    return found.message if found is not None else None


def _facts(request: ResponsesRequest, *, stores: bool) -> RequestFacts:
    fields = {**(request.model_extra or {}), **request.model_dump(exclude_none=True)}
    return RequestFacts(model=request.model, stores=stores, fields=fields)


async def _placed(caller: Caller, request: ResponsesRequest, asked: Asked) -> Asked:
    """Choose where a request's input goes: after the previous response, or at the end of its conversation."""
    previous, named = request.previous_response_id, request.conversation_name
    if previous and named:
        raise BadRequest("previous_response_id and conversation cannot both be given", param="previous_response_id")
    if previous:
        return await _after(caller, asked, previous)
    if named is None:
        return asked
    conversation_id = _conversation_id(named)
    if conversation_id is None:
        return replace(asked, conversation=named, is_only_new=True)
    placed = replace(asked, at=conversation_id, is_only_new=True)
    return placed if asked.stores else replace(placed, before=await _said_before(caller, conversation_id, None))


async def _after(caller: Caller, asked: Asked, previous: str) -> Asked:
    found = await find_reply(caller, previous)
    if found is None or found.message is None:
        text = f"previous_response_id: no response {previous!r}, or none that is stored"
        raise BadRequest(text, param="previous_response_id")
    conversation = found.conversation
    if asked.target.character_id != conversation.character_id:
        text = "previous_response_id: that response is another character's"
        raise BadRequest(text, param="previous_response_id")
    if asked.stores:
        return replace(asked, at=conversation.id, after=After(found.message.id))
    return replace(asked, before=await _said_before(caller, conversation.id, found.message))


async def _said_before(caller: Caller, conversation_id: UUID, last: Message | None) -> list[NewMessage]:
    await caller.check_conversation(conversation_id)
    conversation = await caller.service.storage.read(conversation_id)
    kept = {"role", "content", "name", "tool_calls", "tool_call_id"}
    branch = branch_to(conversation, last.id if last is not None else None)
    # What is stored was checked when it came, by the rules of then.
    return [NewMessage.model_construct(**message.model_dump(include=kept, exclude_none=True)) for message in branch]


def _conversation_id(name: str) -> UUID | None:
    """Return our own id in OpenAI's form; None for a name that a client has given."""
    if not name.startswith("conv_"):
        return None
    try:
        return UUID(name.removeprefix("conv_"))
    except ValueError:
        raise ConversationNotFound(f"no conversation {name!r}") from None


_STATUS = {
    TurnState.QUEUED: "queued",
    TurnState.RUNNING: "in_progress",
    TurnState.COMPLETED: "completed",
    TurnState.CANCELLED: "cancelled",
    TurnState.FAILED: "failed",
}


def _as_response(found: StoredReply) -> dict[str, Any]:
    message = found.message
    output = output_of(found.turn_id.hex, message.content, message.tool_calls) if message is not None else []
    error = message.error if message is not None else None
    return response_object(
        RequestFacts(model=str((message and message.model) or "unknown")),
        turn_id=found.turn_id,
        conversation_id=found.conversation.id,
        created_at=message.timestamp if message is not None else found.conversation.updated_at,
        status=_STATUS.get(found.state, "incomplete"),
        output=output,
        usage=message.usage if message is not None else None,
        error={"code": error["code"], "message": error["message"]} if error else None,
    )


async def _found(scope: Scope) -> StoredReply:
    name = str(scope["path_params"]["response_id"])
    found = await find_reply(caller_of(scope), name)
    if found is None:
        raise NotFound(f"no response {name}")
    return found


async def get_response(scope: Scope, receive: Receive, send: Send) -> None:
    """``GET /v1/responses/{response_id}``."""
    await send_json(send, json_bytes(_as_response(await _found(scope))))


async def delete_response(scope: Scope, receive: Receive, send: Send) -> None:
    """``DELETE /v1/responses/{response_id}``: the text of the reply is gone for good."""
    found = await _found(scope)
    if found.message is not None:
        await caller_of(scope).delete_message(found.conversation.id, found.message.id)
    name = scope["path_params"]["response_id"]
    await send_json(send, json_bytes({"id": name, "object": "response", "deleted": True}))


async def cancel_response(scope: Scope, receive: Receive, send: Send) -> None:
    """``POST /v1/responses/{response_id}/cancel``."""
    found = await _found(scope)
    await caller_of(scope).service.turns.cancel(found.turn_id)
    await send_json(send, json_bytes(_as_response(await _found(scope))))


class NewConversation(BaseModel):
    """The body of ``POST /v1/conversations``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: None = None
    metadata: dict[str, Any] | None = None


async def create_conversation(scope: Scope, receive: Receive, send: Send) -> None:
    """``POST /v1/conversations``: its character is that of its first response."""
    with in_openai_words():
        new = await read_json(NewConversation, scope, receive)
    caller, conversation_id = caller_of(scope), new_id()
    reserved = Reserved(caller.service.storage)
    record = await reserved.put(conversation_id, caller.principal.user_id, metadata=new.metadata)
    await send_json(send, json_bytes(_as_conversation(conversation_id, record)))


def _as_conversation(conversation_id: UUID, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"conv_{conversation_id.hex}",
        "object": "conversation",
        "created_at": record["created_at"],
        "metadata": record["metadata"],
    }


def _path_id(scope: Scope) -> UUID:
    conversation_id = _conversation_id(str(scope["path_params"]["conversation"]))
    if conversation_id is None:
        raise ConversationNotFound(f"no conversation {scope['path_params']['conversation']!r}")
    return conversation_id


async def get_conversation(scope: Scope, receive: Receive, send: Send) -> None:
    """``GET /v1/conversations/{conversation}``."""
    caller, conversation_id = caller_of(scope), _path_id(scope)
    record = await Reserved(caller.service.storage).get(conversation_id)
    if record is None:
        page = await caller.read_page(conversation_id, limit=1)
        record = {"created_at": int(page.conversation.created_at.timestamp()), "metadata": {}}
    await send_json(send, json_bytes(_as_conversation(conversation_id, record)))


async def delete_conversation(scope: Scope, receive: Receive, send: Send) -> None:
    """``DELETE /v1/conversations/{conversation}``."""
    caller, conversation_id = caller_of(scope), _path_id(scope)
    reserved = Reserved(caller.service.storage)
    record = await reserved.get(conversation_id)
    try:
        await caller.delete_conversation(conversation_id)
    except ConversationNotFound:
        if record is None:
            raise
    await reserved.delete(conversation_id)
    name = scope["path_params"]["conversation"]
    await send_json(send, json_bytes({"id": name, "object": "conversation.deleted", "deleted": True}))


class ItemsQuery(BaseModel):
    """The query of ``GET /v1/conversations/{conversation}/items``."""

    model_config = ConfigDict(frozen=True)

    limit: int = 20
    order: str = "desc"
    after: str | None = None


async def list_items(scope: Scope, receive: Receive, send: Send) -> None:
    """``GET /v1/conversations/{conversation}/items``: those of the active branch."""
    caller, conversation_id = caller_of(scope), _path_id(scope)
    query = validated(ItemsQuery.model_validate, dict(Request(scope).query_params), "")
    items: list[dict[str, Any]] = []
    if await _is_begun(caller, conversation_id):
        conversation = await caller.service.storage.read(conversation_id)
        items = [item for message in branch_to(conversation, None) for item in items_of(message)]
    if query.order != "asc":
        items.reverse()
    start = next((place + 1 for place, item in enumerate(items) if item["id"] == query.after), 0)
    limit = max(1, min(query.limit, MAX_LISTED))
    data = items[start : start + limit]
    listed = {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": start + limit < len(items),
    }
    await send_json(send, json_bytes(listed))


async def _is_begun(caller: Caller, conversation_id: UUID) -> bool:
    try:
        await caller.read_page(conversation_id, limit=1)
    except ConversationNotFound:
        return False
    return True


async def may_have_response(caller: Caller, name: str, wants: Wants) -> bool:
    """Return whether a response is the caller's."""
    return await find_reply(caller, name) is not None


async def may_have_conversation(caller: Caller, name: str, wants: Wants) -> bool:
    """Return whether a conversation is the caller's, begun or not."""
    try:
        conversation_id = _conversation_id(name)
    except ConversationNotFound:
        return False
    if conversation_id is None:
        return False
    if await Reserved(caller.service.storage).belongs_to(conversation_id, caller.principal.user_id):
        return True
    return await _is_begun(caller, conversation_id)


RULES = {"response_id": may_have_response, "conversation": may_have_conversation}
"""Who may have what the paths of these routes name."""


def response_routes(server: Server) -> list[RawRoute]:
    """Return the routes of responses and conversations."""
    response = [{"name": "response_id", "in": "path", "required": True, "schema": {"type": "string"}}]
    conversation = [{"name": "conversation", "in": "path", "required": True, "schema": {"type": "string"}}]
    query = [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
        for name in ItemsQuery.model_fields
    ]
    create, body = CreateResponse(server), {"model": "mika", "input": "Hello!"}
    return [
        _route("POST", "/v1/responses", create, "v1_responses", "Answer a responses request", body=body),
        _route("POST", "/responses", create, "responses", "The same, for a base_url without /v1", body=body),
        _route("GET", _RESPONSE, get_response, "v1_response", "Read a response", parameters=response),
        _route("DELETE", _RESPONSE, delete_response, "v1_delete_response", "Delete a reply", parameters=response),
        _route("POST", f"{_RESPONSE}/cancel", cancel_response, "v1_cancel", "Stop a response", parameters=response),
        _route("POST", "/v1/conversations", create_conversation, "v1_begin", "Begin one", body={"metadata": {}}),
        _route(
            "GET", _CONVERSATION, get_conversation, "v1_conversation", "Read a conversation", parameters=conversation
        ),
        _route(
            "DELETE", _CONVERSATION, delete_conversation, "v1_delete", "Delete a conversation", parameters=conversation
        ),
        _route(
            "GET", f"{_CONVERSATION}/items", list_items, "v1_items", "List items", parameters=[*conversation, *query]
        ),
    ]


_RESPONSE, _CONVERSATION = "/v1/responses/{response_id}", "/v1/conversations/{conversation}"


def _route(method: str, path: str, endpoint: Any, name: str, summary: str, **more: Any) -> RawRoute:
    return RawRoute(method, path, endpoint, name=name, operation=described(summary, **more))
