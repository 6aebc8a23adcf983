"""Reading and checking requests: JSON bodies, ids in paths, idempotency keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json
from starlette.types import Receive, Scope

from idolchat_api.asgi.client_connection import ClientLeft
from idolchat_api.asgi.json_text import mended
from idolchat_api.errors import MalformedRequest, UnsupportedMediaType
from idolchat_core.errors import InvalidRequest

__all__ = ["idempotency_key", "in_words_of_json", "invalid_request", "path_id", "read_json", "read_optional_json"]

MAX_KEY_CHARACTERS = 255
MAX_PARAM_CHARACTERS = 200

_QUOTED_KEY = re.compile(rb'"((?:[ !#-\[\]-~]|\\["\\])*)" *(?:;.*)?')  # RFC 9651, section 3.3.3
_BARE_KEY = re.compile(rb"[!#-+\--:<-~]+")  # visible ASCII but for what separates: " , ;


async def read_json[T: BaseModel](model: type[T], scope: Scope, receive: Receive) -> T:
    """Read a JSON body.

    Raises ``UnsupportedMediaType``, ``MalformedRequest`` and ``InvalidRequest``, with the path of the field.
    """
    _check_content_type(scope["headers"])
    return _validated(model, await _read(receive))


async def read_optional_json[T: BaseModel](model: type[T], scope: Scope, receive: Receive) -> T | None:
    """Read a JSON body, None where there is none; see ``read_json``."""
    body = await _read(receive)
    if not body:
        return None
    _check_content_type(scope["headers"])
    return _validated(model, body)


def _validated[T: BaseModel](model: type[T], body: bytes) -> T:
    body = mended(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid_request(error, body) from None


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _check_content_type(headers: Sequence[tuple[bytes, bytes]]) -> None:
    given = dict(headers)
    content_type, encoding = given.get(b"content-type", b""), given.get(b"content-encoding", b"").strip().lower()
    # A browser lets any page post text/plain unasked (Fetch standard, CORS-safelisted request-header), but not this.
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise UnsupportedMediaType("the body must be JSON, with the header Content-Type: application/json")
    if encoding not in (b"", b"identity"):
        raise UnsupportedMediaType("the body must not be compressed: leave Content-Encoding out")


def path_id(scope: Scope, name: str) -> UUID:
    """Read an id in the path. Raises ``InvalidRequest``."""
    try:
        return UUID(scope["path_params"][name])
    except ValueError:
        raise InvalidRequest(f"{name}: must be a UUID", param=name) from None


def idempotency_key(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Read the ``Idempotency-Key`` header, a string in quotes (IETF draft-07) or bare. Raises ``MalformedRequest``."""
    values = [value.strip() for name, value in headers if name == b"idempotency-key"]
    if not values:
        return None
    quoted = _QUOTED_KEY.fullmatch(values[0])
    if len(values) > 1 or not (quoted or _BARE_KEY.fullmatch(values[0])):
        raise MalformedRequest(
            'the Idempotency-Key header must be given once, as a string in double quotes: "8e03978e-40d5-43dd-bc93"',
            param="Idempotency-Key",
        )
    key = re.sub(rb"\\(.)", rb"\1", quoted[1]) if quoted else values[0]
    if not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        raise MalformedRequest(
            f"the Idempotency-Key header must have 1 to {MAX_KEY_CHARACTERS} characters, not {len(key)}",
            param="Idempotency-Key",
        )
    return key.decode("ascii")


def invalid_request(error: ValidationError, body: bytes | str) -> InvalidRequest:
    """Describe what is wrong with a JSON text, and where, without quoting it."""
    problems = error.errors(include_url=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        return MalformedRequest(f"not valid JSON: {problems[0]['msg'].removeprefix('Invalid JSON: ')}")
    sent = from_json(body)
    param, message = _located(problems[0], sent)
    for problem in problems[1:]:  # of the members of a union, the one that got furthest is what was meant
        deeper, said = _located(problem, sent)
        if param and deeper and deeper.startswith(f"{param}."):
            param, message = deeper, said
    if problems[0]["type"] == "refused":  # a field that is not declared, so it has no place of its own
        return InvalidRequest(message, param=problems[0]["ctx"]["param"])
    return InvalidRequest(f"{param}: {message}" if param else message, param=param)


def _located(problem: ErrorDetails, sent: Any) -> tuple[str | None, str]:
    param = _param(problem["loc"], sent, is_missing=problem["type"] == "missing")
    return param, in_words_of_json(problem["msg"])


def in_words_of_json(message: str) -> str:
    """Return what pydantic says of a value without words of Python."""
    said = message.removeprefix("Value error, ")
    return said.replace("Tuple should", "Array should").replace(" after validation", "")


def _param(location: Sequence[int | str], sent: Any, *, is_missing: bool) -> str | None:
    """Return the dotted path of a faulty field, without pydantic's names of union members."""
    path: list[str] = []
    for depth, step in enumerate(location):
        is_there = step in sent if isinstance(sent, dict) else isinstance(sent, list) and step in range(len(sent))
        if not is_there and not (is_missing and depth == len(location) - 1):
            continue
        path.append(str(step))
        sent = sent[step] if is_there else None
    return ".".join(path)[:MAX_PARAM_CHARACTERS] or None
