"""The AsyncAPI 3 document: frames of the WebSocket and server-sent events, made from the models that read them."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from idolchat_api.streaming import event_models as sent
from idolchat_api.streaming.websocket_frames import KINDS, ClientFrame
from idolchat_api.version import VERSION

__all__ = ["document"]

_WHERE = ("conversation_id", "user_id", "character_id")
_HOW = ("model", "options", "on_busy", "on_disconnect", "traceparent", "client_message_id")
FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "auth": (("token",), (), "Say who you are, first of all where there is a login, or again with a fresh token."),
    "start_conversation": (
        (),
        (*_WHERE, "character_ids", "next_speaker", "persona_id", "greeting", "client_message_id"),
        "Make a conversation the one of messages that name none; without an id, a new one.",
    ),
    "message": (
        ("message",),
        (*_WHERE, "greeting", "next_character_id", *_HOW),
        "Send a message. The same `client_message_id` finds the same turn.",
    ),
    "continue": (
        ("message_id",),
        ("conversation_id", "next_character_id", *_HOW),
        "Have the model go on with a reply.",
    ),
    "cancel": ((), ("turn_id",), "Stop a turn, or the newest that is followed here; what was said is kept."),
    "resume": (("turn_id",), ("after_seq",), "Follow a turn from its first event, or after one."),
    "ping": ((), (), "Ask for a `pong`."),
}
"""The fields of each frame of a client: needed, possible, and what it does."""
_FRAMES = (
    sent.Authenticated,
    sent.ConversationStarted,
    sent.TurnStartedFrame,
    sent.DeltaFrame,
    sent.MessageFrame,
    sent.Cancelled,
    sent.ErrorFrame,
    sent.Pong,
)
_CHUNKS = (sent.StartChunk, sent.DeltaChunk, sent.EndChunk, sent.ProblemChunk)
_DESCRIPTION = """\
The events of turns, over one WebSocket or as server-sent events. Both have the same `seq`, an event's place in its turn
from 0. Whoever was cut off goes on after the last one that it has, with `resume` or the header `Last-Event-ID`.
"""


@cache
def document() -> dict[str, Any]:
    """Return the document, made once."""
    _, definitions = models_json_schema(
        [(ClientFrame, "validation"), *((model, "validation") for model in (*_FRAMES, *_CHUNKS))],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = definitions["$defs"]
    client = schemas.pop("ClientFrame")["properties"]
    schemas |= {_client_name(kind): _client_schema(kind, client) for kind in KINDS}
    from_client = {_client_name(kind): _message(_client_name(kind), FIELDS[kind][2]) for kind in KINDS}
    from_server = {model.__name__: _message(model.__name__, _said(model)) for model in _FRAMES}
    chunks = {model.__name__: _message(model.__name__, _said(model)) for model in _CHUNKS}
    done = {"Done": {"summary": "`[DONE]`: nothing follows, and the reply is on disk.", "payload": {"const": "[DONE]"}}}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "idolchat events", "version": VERSION, "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/ws/chat",
                "description": "A JSON object a frame.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in (*from_client, *from_server)},
            },
            "stream": {
                "address": "/turns/{turn_id}/stream",
                "description": "Server-sent events, each with the id `<turn_id>:<seq>`. Every request that runs a turn"
                " with `stream` answers with them, too; lines that begin with a colon keep the connection open.",
                "parameters": {"turn_id": {"description": "A UUID."}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in (*chunks, *done)},
            },
        },
        "operations": {
            "receiveFrames": _operation("receive", "socket", from_client, "What a client sends."),
            "sendFrames": _operation("send", "socket", from_server, "What the server sends."),
            "sendEvents": _operation("send", "stream", chunks | done, "The events of one turn, in order."),
        },
        "components": {"schemas": schemas, "messages": from_client | from_server | chunks | done},
    }


def _operation(action: str, channel: str, messages: dict[str, Any], summary: str) -> dict[str, Any]:
    refs = [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages]
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary, "messages": refs}


def _message(name: str, said: str) -> dict[str, Any]:
    return {"name": name, "summary": said, "payload": {"$ref": f"#/components/schemas/{name}"}}


def _said(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _client_name(kind: str) -> str:
    return f"{''.join(map(str.capitalize, kind.split('_')))}Request"


def _client_schema(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    needed, possible, _ = FIELDS[kind]
    properties = {name: fields[name] for name in (*needed, *possible)}
    return {
        "type": "object",
        "title": _client_name(kind),
        "required": ["type", *needed],
        "properties": {"type": {"const": kind}, **properties},
    }
