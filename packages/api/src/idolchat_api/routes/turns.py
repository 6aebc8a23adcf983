"""Turns by their id: status, events, cancelling, retrying."""

from __future__ import annotations

import re
from uuid import UUID

from fastapi import APIRouter
from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope, Send

from idolchat_api.app_state import CurrentState, app_state, caller_of
from idolchat_api.asgi.raw_route import RawRoute
from idolchat_api.asgi.requests import path_id, read_optional_json
from idolchat_api.errors import MalformedRequest
from idolchat_api.http import openapi_examples
from idolchat_api.http.openapi import (
    errors,
    example,
    json_body,
    operation,
    path_parameter,
    stream_replies,
    turn_replies,
)
from idolchat_api.streaming.sse import stream_turn
from idolchat_api.streaming.turn_response import respond
from idolchat_core.errors import InvalidRequest, StorageUnavailable, TurnExpired, TurnNotFound, TurnNotRetryable
from idolchat_core.events.events import TurnStatus
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.prompt.explanation import PromptExplanation
from idolchat_core.turns.request import TurnOptions

__all__ = ["routes"]

router = APIRouter(tags=["turns"])

_TURN = example(openapi_examples.TURN) | errors(TurnNotFound, StorageUnavailable)

_WHOLE_NUMBER = re.compile(r"-1|\d{1,15}")


@router.get("/turns/{turn_id}", response_model_exclude_none=True, responses=_TURN)
async def get_turn(turn_id: UUID, app: CurrentState) -> TurnStatus:
    """Read a turn: its state, the text so far, and its usage once it has ended."""
    return await app.service.turns.status(turn_id)


@router.get(
    "/turns/{turn_id}/prompt",
    response_model_exclude_none=True,
    responses=example(openapi_examples.PROMPT) | errors(TurnNotFound, TurnExpired, StorageUnavailable),
)
async def explain_prompt(turn_id: UUID, app: CurrentState) -> PromptExplanation:
    """Explain a turn's prompt: what each source gave, what was left out and why, how much was as in the one before.

    It holds no text. 410 when it is no longer kept, or the prompt is not built yet.
    """
    return await app.service.turns.explain_prompt(turn_id)


@router.post("/turns/{turn_id}/cancel", response_model_exclude_none=True, responses=_TURN)
async def cancel_turn(turn_id: UUID, app: CurrentState) -> TurnStatus:
    """Stop a turn and keep the text so far; a turn that has ended stays as it is."""
    return await app.service.turns.cancel(turn_id)


class FollowTurn:
    """``GET /turns/{turn_id}/stream``: its events, from the start or after the last one that the client has."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; 204 when the client has all events, which makes an ``EventSource`` stop."""
        app = app_state(scope)
        turn_id = path_id(scope, "turn_id")
        after = _after(scope, turn_id)
        turn = await app.service.turns.find(turn_id, after=after)
        scope["state"]["facts"] = {"conversation_id": turn.conversation_id, "turn_id": turn_id}
        if _has_all(turn, after):
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await stream_turn(turn, scope, receive, send, heartbeat_s=app.settings.heartbeat_s, after=after)


class RetryTurn:
    """``POST /turns/{turn_id}/retry``: answers again the message of a turn that did not complete."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = app_state(scope)
        turn_id = path_id(scope, "turn_id")
        options = await read_optional_json(TurnOptions, scope, receive)
        turn = await caller_of(scope).retry(turn_id, options)
        await respond(app, turn, scope, receive, send, streams=options is not None and options.stream)


def _after(scope: Scope, turn_id: UUID) -> int:
    """Return the last event that the client has: a reconnecting ``EventSource``'s header wins over the query."""
    last_event_id = Headers(scope=scope).get("last-event-id")
    if last_event_id:
        of_turn, _, seq = last_event_id.rpartition(":")
        if not _WHOLE_NUMBER.fullmatch(seq) or of_turn != str(turn_id):
            raise MalformedRequest(
                f"Last-Event-ID must be the id of an event of this turn: {turn_id}:<seq>", param="Last-Event-ID"
            )
        return int(seq)
    after = QueryParams(scope["query_string"]).get("after", "-1")
    if not _WHOLE_NUMBER.fullmatch(after):
        raise InvalidRequest("after: must be the seq of an event, or -1 for all", param="after")
    return int(after)


def _has_all(turn: LiveTurn, after: int) -> bool:
    last_seq = turn.status.last_seq or 0
    if turn.is_over:
        return after >= last_seq
    if after > last_seq:
        raise MalformedRequest(f"the turn has no event {after} yet: its last is {last_seq}")
    return False


_TURN_ID = path_parameter("turn_id")
_AFTER = {
    "name": "after",
    "in": "query",
    "description": "The seq of the last event that you have; `Last-Event-ID`, where given, wins.",
    "schema": {"type": "integer", "minimum": -1, "default": -1},
}
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that you have: `<turn_id>:<seq>`.",
    "schema": {"type": "string"},
}

routes = [
    *router.routes,
    RawRoute(
        "GET",
        "/turns/{turn_id}/stream",
        FollowTurn(),
        name="follow_turn",
        operation=operation(
            "Read a turn's events",
            "From the start, or those after the last one that you have; the same bytes for every reader. 410 when the"
            " events are no longer kept: the messages are in the conversation.",
            tag="turns",
            parameters=[_TURN_ID, _AFTER, _LAST_EVENT_ID],
            responses=stream_replies(MalformedRequest, TurnNotFound, TurnExpired, StorageUnavailable)
            | {204: {"description": "The turn is over and you have all of it."}},
        ),
    ),
    RawRoute(
        "POST",
        "/turns/{turn_id}/retry",
        RetryTurn(),
        name="retry_turn",
        operation=operation(
            "Answer the message of a turn that did not complete once more",
            "As a new turn, run as it was before, or as the body says. Asked again, it gives the same new turn.",
            tag="turns",
            parameters=[_TURN_ID],
            body=json_body(TurnOptions, required=False, value={"stream": True}),
            responses=turn_replies(TurnNotFound, TurnNotRetryable),
        ),
    ),
]
