"""Messages of a conversation: regenerated, edited, continued, rewritten and deleted."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from idolchat_api.app_state import CurrentCaller, CurrentState, app_state, caller_of
from idolchat_api.asgi.conditional_requests import expected_revision
from idolchat_api.asgi.raw_route import RawRoute
from idolchat_api.asgi.requests import idempotency_key, path_id, read_json, read_optional_json
from idolchat_api.http import openapi_examples
from idolchat_api.http.branch_bodies import NewContent
from idolchat_api.http.openapi import (
    BODY_ERRORS,
    errors,
    example,
    json_body,
    operation,
    path_parameter,
    turn_replies,
)
from idolchat_api.routes.chat import IDEMPOTENCY_KEY
from idolchat_api.routes.conversations import IF_MATCH, READ_ERRORS
from idolchat_api.streaming.turn_response import respond
from idolchat_core.conversations import messages
from idolchat_core.errors import (
    ConversationBusy,
    ConversationDamaged,
    ConversationNotFound,
    RevisionMismatch,
    StorageConflict,
    StorageUnavailable,
    TurnNotRetryable,
)
from idolchat_core.models import StoredId
from idolchat_core.turns.request import TurnOptions, TurnRequest

__all__ = ["routes"]

router = APIRouter(tags=["conversations"])


@router.post(
    "/conversation/{conversation_id}/messages/{message_id}/rewrite",
    status_code=201,
    openapi_extra=json_body(NewContent, required=True, value={"content": "Sing the *other* song, please."}),
    responses=example(openapi_examples.CONVERSATION["messages"][0], status=201)
    | errors(
        *BODY_ERRORS,
        ConversationNotFound,
        ConversationBusy,
        ConversationDamaged,
        StorageConflict,
        StorageUnavailable,
    ),
)
async def rewrite_message(conversation_id: UUID, message_id: str, request: Request, caller: CurrentCaller) -> Response:
    """Put another content where a user's message or a reply is, without an answer.

    The new message stands beside the old one, on a branch of its own that is the active one; what follows the old one
    stays with that. The reply is the new message. Roles that the caller may not send are refused here, too.
    """
    new = await read_json(NewContent, request.scope, request.receive)
    message = await caller.rewrite(conversation_id, _stored_id(message_id), new.content)
    body = message.model_dump_json(exclude_unset=True)
    return Response(body, status_code=201, media_type="application/json")


@router.delete(
    "/conversation/{conversation_id}/messages/{message_id}",
    status_code=204,
    response_model=None,
    responses=READ_ERRORS | errors(ConversationNotFound, ConversationBusy, ConversationDamaged, StorageUnavailable),
)
async def delete_one_message(conversation_id: UUID, message_id: str, app: CurrentState) -> None:
    """Delete one message for good; its place stays.

    The document then holds `{"id", "role", "content": null, "timestamp", "deleted_at"}` there, and what follows it
    stays where it is. Its text goes from the storage, its copies and its index, and from the mirrors as soon as they
    can be reached; it is in no later prompt. What plugins have derived from it is gone with it, or, after a few
    seconds, queued to go. A reply that continues another one is a message of its own.
    """
    await messages.delete_message(app.service.turns, app.service.storage, conversation_id, _stored_id(message_id))
    await app.service.told(conversation_id)


class Continue:
    """``POST /conversation/{conversation_id}/messages/{message_id}/continue``: has the model go on with a reply."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = app_state(scope)
        conversation_id = path_id(scope, "conversation_id")
        options = await read_optional_json(TurnOptions, scope, receive) or TurnOptions()
        message_id = _stored_id(scope["path_params"]["message_id"])
        turn = await caller_of(scope).continue_reply(conversation_id, message_id, options)
        await respond(app, turn, scope, receive, send, streams=options.stream)


class Regenerate:
    """``POST /conversation/{conversation_id}/regenerate``: answers the last message again."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = app_state(scope)
        conversation_id = path_id(scope, "conversation_id")
        options = await read_optional_json(TurnOptions, scope, receive) or TurnOptions()
        turn = await caller_of(scope).regenerate(conversation_id, options)
        await respond(app, turn, scope, receive, send, streams=options.stream)


class Edit:
    """``POST /conversation/{conversation_id}/messages/{message_id}/edit``: replaces a message on a new branch."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = app_state(scope)
        conversation_id = path_id(scope, "conversation_id")
        key = idempotency_key(scope["headers"])
        request = await read_json(TurnRequest, scope, receive)
        turn = await caller_of(scope).edit(
            _stored_id(scope["path_params"]["message_id"]),
            request.model_copy(update={"conversation_id": conversation_id}),
            idempotency_key=key,
            expected_revision=expected_revision(scope["headers"]),
        )
        await respond(app, turn, scope, receive, send, streams=request.stream)


def _stored_id(text: str) -> StoredId:
    try:
        return UUID(text)
    except ValueError:
        return text


_CONVERSATION_ID = path_parameter("conversation_id")

routes = [
    *router.routes,
    RawRoute(
        "POST",
        "/conversation/{conversation_id}/regenerate",
        Regenerate(),
        name="regenerate",
        operation=operation(
            "Answer the last message once more",
            "The reply that it has stays, on a branch of its own.",
            tag="conversations",
            parameters=[_CONVERSATION_ID],
            body=json_body(TurnOptions, required=False, value={"temperature": 1.1}),
            responses=turn_replies(ConversationNotFound, TurnNotRetryable),
        ),
    ),
    RawRoute(
        "POST",
        "/conversation/{conversation_id}/messages/{message_id}/edit",
        Edit(),
        name="edit",
        operation=operation(
            "Put another message where one is, and answer it",
            "What was there, and all that follows it, stays on a branch of its own.",
            tag="conversations",
            parameters=[_CONVERSATION_ID, path_parameter("message_id"), IDEMPOTENCY_KEY, IF_MATCH],
            body=json_body(TurnRequest, required=True, value=openapi_examples.TURN_REQUEST),
            responses=turn_replies(ConversationNotFound, RevisionMismatch),
        ),
    ),
    RawRoute(
        "POST",
        "/conversation/{conversation_id}/messages/{message_id}/continue",
        Continue(),
        name="continue",
        operation=operation(
            "Have the model go on with a reply",
            "The whole of it, the text that was there and what is added, stands beside the old reply and names it in"
            " `continues`. The completion has the whole; the events of a stream carry what is added. It must be a reply"
            " to the last message of the active branch.",
            tag="conversations",
            parameters=[_CONVERSATION_ID, path_parameter("message_id")],
            body=json_body(TurnOptions, required=False, value={"max_tokens": 200}),
            responses=turn_replies(ConversationNotFound, TurnNotRetryable),
        ),
    ),
]
