"""Conversations: beginning, reading, listing, deleting, and choosing among their branches."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from idolchat_api.app_state import CurrentCaller, CurrentState
from idolchat_api.asgi.conditional_requests import etag, expected_revision, is_unchanged
from idolchat_api.asgi.requests import idempotency_key, read_json, read_optional_json
from idolchat_api.errors import NotFound
from idolchat_api.http import openapi_examples
from idolchat_api.http.authorization import checks_owner
from idolchat_api.http.branch_bodies import Changes, ForkPoint
from idolchat_api.http.new_conversation import NewConversation
from idolchat_api.http.openapi import (
    BODY_ERRORS,
    errors,
    example,
    json_body,
)
from idolchat_api.routes.chat import IDEMPOTENCY_KEY
from idolchat_core.conversations import branches
from idolchat_core.errors import (
    ContextTooLong,
    ConversationBusy,
    ConversationDamaged,
    ConversationExists,
    ConversationNotFound,
    IdempotencyMismatch,
    InvalidRequest,
    RevisionMismatch,
    StorageUnavailable,
)
from idolchat_core.models import ConversationSummary
from idolchat_core.search import SearchResults
from idolchat_core.storage.filters import ConversationFilter
from idolchat_core.turns.context_window import ContextWindow

__all__ = ["IF_MATCH", "READ_ERRORS", "routes"]

PAGE_SIZE = 50

router = APIRouter(tags=["conversations"])

IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the conversation as it was read: where it has another one, nothing is changed.",
    "schema": {"type": "string"},
    "example": '"2a.5f1.185d9c"',
}

READ_ERRORS = errors(ConversationNotFound, ConversationDamaged, StorageUnavailable)


class ConversationPage(BaseModel):
    """Conversations, newest first; ``next`` is the ``before`` of the following page, null at the end."""

    model_config = ConfigDict(frozen=True)

    data: tuple[ConversationSummary, ...]
    has_more: bool
    next: str | None


@router.get(
    "/conversation/{conversation_id}",
    responses=example(openapi_examples.CONVERSATION)
    | {304: {"description": "`If-None-Match` names the ETag that the conversation still has."}}
    | READ_ERRORS,
)
@checks_owner
async def get_conversation(
    conversation_id: UUID,
    request: Request,
    caller: CurrentCaller,
    limit: Annotated[int | None, Query(ge=1, le=1000, description="How many messages; without it, all.")] = None,
    before: Annotated[
        int | None, Query(ge=0, description="`next` of the page that you have, for the page before it.")
    ] = None,
) -> Response:
    """Read a conversation: the stored document, or a page of its messages, the newest last.

    A page has besides `total`, the number of messages there are, `has_more`, whether there are older ones, and `next`,
    the `before` of the page of those. A conversation that can be read only in part has `"status": "damaged"`.

    The `ETag` is another one after every change of the conversation, whoever made it: send it as `If-None-Match` to
    read only what has changed, and as `If-Match` to change or delete only what you have read.
    """
    if limit is None and before is None:
        body, revision = await caller.read_revised(conversation_id)
        return _revised(request, body, revision)
    page = await caller.read_page(conversation_id, limit=limit or PAGE_SIZE, before=before)
    document = page.conversation.model_dump(mode="json", exclude_unset=True)
    more = {"total": page.total, "has_more": page.start > 0, "next": page.start or None}
    return _revised(request, orjson.dumps(document | more), page.revision)


@router.get("/conversations", responses=example(openapi_examples.CONVERSATION_LIST) | errors(StorageUnavailable))
async def list_conversations(
    app: CurrentState,
    caller: CurrentCaller,
    user_id: UUID | None = None,
    character_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Annotated[
        str | None, Query(max_length=256, description="`next` of the page that you have, for the page after it.")
    ] = None,
) -> ConversationPage:
    """List conversations, the last changed one first; damaged ones are marked.

    A user's token lists that user's, and refuses another `user_id`.
    """
    whose = caller.reading(user_id)
    matching = ConversationFilter(user_id=whose, character_id=character_id)
    found = await app.service.storage.list(matching, limit=limit, before=before)
    return ConversationPage(data=tuple(found.data), has_more=found.next is not None, next=found.next)


@router.get(
    "/conversation/{conversation_id}/window",
    response_model_exclude_none=True,
    responses=example(openapi_examples.WINDOW)
    | errors(ConversationNotFound, ConversationDamaged, ContextTooLong, StorageUnavailable),
)
async def measure_window(conversation_id: UUID, app: CurrentState) -> ContextWindow:
    """Return how full the context window is, what was cut off the history, and which summary stands for that.

    It is that of the next turn, before its message, for the model that answers a turn which names none; the model is
    not asked. Nothing that is cut leaves the conversation.
    """
    return await app.service.turns.window(conversation_id)


@router.post(
    "/conversations",
    status_code=201,
    openapi_extra=json_body(NewConversation, required=True, value={"character_id": "mika"})
    | {"parameters": [IDEMPOTENCY_KEY]},
    responses=example(openapi_examples.NEW_CONVERSATION, status=201)
    | errors(
        *BODY_ERRORS,
        NotFound,
        ConversationNotFound,
        ConversationExists,
        ConversationDamaged,
        IdempotencyMismatch,
        StorageUnavailable,
    ),
)
async def begin_conversation(request: Request, caller: CurrentCaller) -> Response:
    """Begin a conversation. A character who is known begins it with her greeting; the reply is the new document.

    Alternates of the greeting stand beside it, and a `PATCH` of the conversation's `head` chooses one. With an
    `Idempotency-Key`, sending twice begins one conversation. `character_id` is an id or a slug; `character_ids` name
    several, of whom the first greets; a `persona_id` says whom the user plays.
    """
    key = idempotency_key(request.headers.raw)
    new = await read_json(NewConversation, request.scope, request.receive)
    begun, revision = await caller.begin(
        new.characters,
        new.user_id,
        next_speaker=new.next_speaker,
        persona_id=new.persona_id,
        conversation_id=new.id,
        greets=new.greeting,
        idempotency_key=key,
    )
    headers = {"ETag": etag(revision), "Location": f"/conversation/{begun.id}"}
    body = begun.model_dump_json(exclude_unset=True)
    return Response(body, status_code=201, media_type="application/json", headers=headers)


@router.get(
    "/conversations/search",
    responses=example(openapi_examples.SEARCH) | errors(InvalidRequest, StorageUnavailable),
)
async def search_conversations(
    app: CurrentState,
    caller: CurrentCaller,
    text: Annotated[
        str,
        Query(min_length=1, max_length=1024, description='Words, `begin*` and `"phrases"`, all of which must match.'),
    ],
    user_id: UUID | None = None,
    character_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Annotated[
        str | None, Query(max_length=256, description="`next` of the page that you have, for the page after it.")
    ] = None,
) -> SearchResults:
    """Find messages by what was said, the newest first.

    `matches` are the ranges of the `snippet` that match, in characters. A user's token searches that user's.
    """
    matching = ConversationFilter(user_id=caller.reading(user_id), character_id=character_id)
    return await app.service.storage.search(text, matching, limit=limit, before=before)


@router.delete(
    "/conversation/{conversation_id}",
    status_code=204,
    response_model=None,
    openapi_extra={"parameters": [IF_MATCH]},
    responses=READ_ERRORS | errors(ConversationBusy, RevisionMismatch),
)
async def delete_conversation(conversation_id: UUID, request: Request, app: CurrentState) -> None:
    """Delete a conversation for good, everywhere it is stored; turns that run in it are stopped.

    With `If-Match` only while it has that ETag, and no turn runs in it. What plugins have derived from it is gone with
    it, or, after a few seconds, queued to go.
    """
    expected = expected_revision(request.headers.raw)
    await branches.delete(app.service.turns, app.service.storage, conversation_id, expected_revision=expected)
    await app.service.told(conversation_id)


@router.patch(
    "/conversation/{conversation_id}",
    status_code=204,
    response_model=None,
    openapi_extra=json_body(Changes, required=True, value={"head": "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b"})
    | {"parameters": [IF_MATCH]},
    responses=READ_ERRORS
    | errors(*BODY_ERRORS, ConversationNotFound, ConversationBusy, RevisionMismatch, StorageUnavailable),
)
async def choose_branch(conversation_id: UUID, request: Request, app: CurrentState, caller: CurrentCaller) -> Response:
    """Continue another branch, the one that ends with the message `head`; change who takes part, or who answers next.

    `character_ids` are ids or slugs of all who are to take part, of whom the first stays; `next_speaker` says who of
    them answers. The reply has the new `ETag`.
    """
    expected = expected_revision(request.headers.raw)
    changes = await read_json(Changes, request.scope, request.receive)
    members = changes.character_ids
    revision = await branches.change(
        app.service.turns,
        app.service.storage,
        conversation_id,
        head=changes.head,
        next_speaker=changes.next_speaker,
        character_ids=await caller.members(conversation_id, members) if members else None,
        expected_revision=expected,
    )
    return Response(status_code=204, headers={"ETag": etag(revision)})


@router.post(
    "/conversation/{conversation_id}/fork",
    status_code=201,
    openapi_extra=json_body(ForkPoint, required=False, value={}),
    responses=example(openapi_examples.CONVERSATION, status=201)
    | errors(*BODY_ERRORS, ConversationNotFound, ConversationDamaged, StorageUnavailable),
)
async def fork_conversation(conversation_id: UUID, request: Request, app: CurrentState) -> Response:
    """Start a new conversation with the messages of the active branch, up to `message_id` where it is given."""
    point = await read_optional_json(ForkPoint, request.scope, request.receive) or ForkPoint()
    forked = await branches.fork(
        app.service.storage, conversation_id, plugins=app.service.plugins, upto=point.message_id
    )
    return _json(forked.model_dump_json(exclude_unset=True).encode(), status=201)


def _revised(request: Request, body: bytes, revision: str | None) -> Response:
    if revision is None:
        return _json(body)
    headers = {"ETag": etag(revision)}
    if is_unchanged(request.headers.raw, revision):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _json(body: bytes, *, status: int = 200) -> Response:
    return Response(body, status_code=status, media_type="application/json")


routes = router.routes
