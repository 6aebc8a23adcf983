"""``POST /chat`` and ``POST /chat/stream``: one turn, as a whole reply or as a stream."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from idolchat_api.app_state import app_state
from idolchat_api.asgi.raw_route import RawRoute
from idolchat_api.asgi.requests import idempotency_key, read_json
from idolchat_api.http import openapi_examples
from idolchat_api.http.openapi import BODY_ERRORS, TURN_START_ERRORS, json_body, operation, stream_replies, turn_replies
from idolchat_api.streaming.turn_response import respond
from idolchat_core.turns.request import TurnRequest

__all__ = ["IDEMPOTENCY_KEY", "routes"]


class Chat:
    """Answers a message; with ``streams`` always as a stream."""

    def __init__(self, *, streams: bool) -> None:
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = app_state(scope)
        key = idempotency_key(scope["headers"])
        request = await read_json(TurnRequest, scope, receive)
        if self._streams and not request.stream:
            request = request.model_copy(update={"stream": True})
        turn = await app.caller(scope).start(request, idempotency_key=key)
        await respond(app, turn, scope, receive, send, streams=request.stream)


IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A string in quotes, of 1 to 255 characters, that makes sending twice safe (IETF draft-07).",
    "schema": {"type": "string"},
    "example": '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
}
_BODY = json_body(TurnRequest, required=True, value=openapi_examples.TURN_REQUEST)
_CHAT = """\
`messages` are the new ones; the stored history of `conversation_id` is put before them. Without `conversation_id`, or
with one not seen before, a conversation begins. A `system` message serves this turn only. Any other field of an
OpenRouter request goes to the provider unchanged."""

routes = [
    RawRoute(
        "POST",
        "/chat",
        Chat(streams=False),
        name="chat",
        operation=operation(
            "Send a message and wait for the reply",
            f"{_CHAT} With `stream` the reply is that of `/chat/stream`.",
            tag="chat",
            parameters=[IDEMPOTENCY_KEY],
            body=_BODY,
            responses=turn_replies(),
        ),
    ),
    RawRoute(
        "POST",
        "/chat/stream",
        Chat(streams=True),
        name="chat_stream",
        operation=operation(
            "Send a message and read the reply as it is made",
            f"{_CHAT} The events are OpenAI's `chat.completion.chunk` objects, then `[DONE]`: the reply is on disk."
            " What goes wrong in the turn is a last chunk with `error` and `finish_reason` `error`.",
            tag="chat",
            parameters=[IDEMPOTENCY_KEY],
            body=_BODY,
            responses=stream_replies(*BODY_ERRORS, *TURN_START_ERRORS),
        ),
    ),
]
