"""The OpenAPI document: FastAPI describes its own routes, and raw routes are added here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from idolchat_api.asgi.raw_route import RawRoute
from idolchat_api.errors import (
    BodyTooLarge,
    Forbidden,
    HostNotAllowed,
    MalformedRequest,
    OriginNotAllowed,
    Unauthenticated,
    UnsupportedMediaType,
    status_of,
)
from idolchat_api.http import openapi_examples
from idolchat_api.http.authorization import Access, rule_of
from idolchat_api.http.branch_bodies import Changes, ForkPoint, NewContent
from idolchat_api.http.new_conversation import NewConversation
from idolchat_core import errors as core
from idolchat_core.errors import IdolchatError
from idolchat_core.models import Conversation
from idolchat_core.turns.request import TurnOptions, TurnRequest

__all__ = [
    "BODY_ERRORS",
    "TURN_ERRORS",
    "TURN_START_ERRORS",
    "document",
    "errors",
    "example",
    "json_body",
    "operation",
    "path_parameter",
    "stream_replies",
    "turn_replies",
]

DESCRIPTION = """\
Character chat: conversations that are kept, answered by a model, streamed if you like.

Every error is `{"error": {"message", "type", "code", "param"?, "request_id"}}`; clients decide by `code`, and new codes
may come with any release. `X-Request-ID` comes with every reply, and is taken from the request where it is at most 64
letters, digits, dots, dashes and underscores. `WS /ws/chat` offers the same turns over one socket; the README tells its
frames.
"""

_ANYWHERE: tuple[type[IdolchatError], ...] = (
    core.InvalidRequest,
    Unauthenticated,
    Forbidden,
    OriginNotAllowed,
    HostNotAllowed,
    IdolchatError,
)
BODY_ERRORS: tuple[type[IdolchatError], ...] = (MalformedRequest, BodyTooLarge, UnsupportedMediaType)
TURN_START_ERRORS: tuple[type[IdolchatError], ...] = (
    core.ConversationMismatch,
    core.ConversationBusy,
    core.ConversationDamaged,
    core.QueueFull,
    core.LimitReached,
    core.BudgetExceeded,
    core.IdempotencyMismatch,
    core.ShuttingDown,
    core.SpendingStopped,
    core.StorageUnavailable,
)
"""What a turn may meet before it begins."""
TURN_ERRORS: tuple[type[IdolchatError], ...] = (
    *TURN_START_ERRORS,
    core.ContextTooLong,
    core.RequestRefused,
    core.ModelNotFound,
    core.PaymentRequired,
    core.RateLimited,
    core.ProviderUnavailable,
    core.ProviderTimeout,
    core.ReplyCut,
    core.NotAuthorized,
)
"""What a turn may meet before it begins, and how it may end."""


_STRING = {"type": "string"}
_UUID = {"type": "string", "format": "uuid"}
COMPLETION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices", "conversation_id", "turn_id", "user_message_id"],
    "properties": {
        "id": _STRING,
        "object": {"const": "chat.completion"},
        "created": {"type": "integer", "description": "Unix time in seconds."},
        "model": _STRING,
        "choices": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer"},
                    "message": {"type": "object", "description": "`role`, `content`, `tool_calls`, `reasoning`, ..."},
                    "finish_reason": {**_STRING, "description": "The provider's word, or `cancelled`."},
                },
            },
        },
        "usage": {"type": ["object", "null"], "description": "As OpenAI names it, with the provider's `cost`."},
        "conversation_id": _UUID,
        "turn_id": _UUID,
        "user_message_id": _STRING,
        "message_id": {"type": ["string", "null"]},
    },
}


_EVENT_STREAM = {
    "text/event-stream": {"schema": {"description": "Server-sent events."}, "example": openapi_examples.EVENT_STREAM}
}


class ErrorDetail(BaseModel):
    """The error. A failed turn adds its ``turn_id``, by which it can be retried, and its ``conversation_id``."""

    model_config = ConfigDict(frozen=True, extra="allow")

    message: str
    type: str
    code: str
    param: str | None = None
    request_id: str


class ErrorEnvelope(BaseModel):
    """The body of every error reply."""

    model_config = ConfigDict(frozen=True)

    error: ErrorDetail


def errors(*kinds: type[IdolchatError]) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of an operation, beside those that every operation has."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for kind in (*_ANYWHERE, *kinds):
        status, group = status_of(kind)
        said = (kind.__doc__ or "").splitlines()[0]
        error = {"message": said, "type": group, "code": kind.code, "request_id": openapi_examples.REQUEST_ID}
        reply = by_status.setdefault(status, {"description": "", "content": {"application/json": {"examples": {}}}})
        reply["description"] = " ".join(filter(None, (reply["description"], f"`{kind.code}`: {said}")))
        content = reply["content"]["application/json"]
        content["schema"] = {"$ref": "#/components/schemas/ErrorEnvelope"}
        content["examples"][kind.code] = {"value": {"error": error}}
    return by_status


def example(value: object, *, description: str = "As asked.", status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Describe a successful reply by an example."""
    return {status: {"description": description, "content": {"application/json": {"example": value}}}}


def json_body(model: type[BaseModel], *, required: bool, value: object) -> dict[str, Any]:
    """Describe a JSON body that the route parses itself."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "requestBody": {"required": required, "content": {"application/json": {"schema": schema, "example": value}}}
    }


def turn_replies(*kinds: type[IdolchatError], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Describe the replies of an operation that runs a turn: the completion, or its events with ``stream``."""
    content = {
        "application/json": {"schema": COMPLETION_SCHEMA, "example": openapi_examples.COMPLETION},
        **_EVENT_STREAM,
    }
    described = {"description": "The reply, which is on disk; its events with `stream`.", "content": content}
    return {status: described, **errors(*BODY_ERRORS, *TURN_ERRORS, *kinds)}


def stream_replies(*kinds: type[IdolchatError]) -> dict[int | str, dict[str, Any]]:
    """Describe the replies of an operation that answers with a turn's events."""
    return {200: {"description": "The turn's events.", "content": _EVENT_STREAM}, **errors(*kinds)}


def path_parameter(name: str) -> dict[str, Any]:
    """Describe an id in the path."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}


def operation(
    summary: str,
    description: str,
    *,
    tag: str,
    responses: Mapping[int | str, dict[str, Any]],
    parameters: Sequence[dict[str, Any]] = (),
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Describe the operation of a raw route."""
    return {
        "tags": [tag],
        "summary": summary,
        "description": description,
        "parameters": list(parameters),
        **(body or {}),
        "responses": {str(status): reply for status, reply in responses.items()},
    }


def document(app: FastAPI, *, token: str | None = None) -> dict[str, Any]:
    """Return the document, built once; ``token`` describes the bearer token, None without a login."""
    if not app.openapi_schema:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for route in app.routes:
            if isinstance(route, RawRoute):
                schema["paths"].setdefault(route.path_format, {}).update(route.operations())
        schema["servers"] = [{"url": "."}]  # relative to this document, so that it holds behind any proxy
        schema.setdefault("components", {}).setdefault("schemas", {}).update(_schemas())
        if token is not None:
            _ask_for(token, schema, app.routes)
        app.openapi_schema = schema
    return app.openapi_schema


def _ask_for(token: str, schema: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """Require a token for every operation but the open ones."""
    scheme = {"type": "http", "scheme": "bearer", "description": token}
    schema["components"]["securitySchemes"] = {"bearer": scheme}
    schema["security"] = [{"bearer": []}]
    for route in routes:
        rule = rule_of(route)
        if rule is not None and rule.access is Access.OPEN:
            for operation in schema["paths"].get(getattr(route, "path_format", ""), {}).values():
                operation["security"] = [{}, {"bearer": []}]


def _schemas() -> dict[str, Any]:
    _, definitions = models_json_schema(
        [
            (TurnRequest, "validation"),
            (TurnOptions, "validation"),
            (Changes, "validation"),
            (ForkPoint, "validation"),
            (NewContent, "validation"),
            (NewConversation, "validation"),
            (Conversation, "serialization"),
            (ErrorEnvelope, "serialization"),
        ],
        ref_template="#/components/schemas/{model}",
    )
    found: dict[str, Any] = definitions["$defs"]
    return found
