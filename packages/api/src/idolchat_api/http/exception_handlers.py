"""Exception handlers of the framework, which answer with the error envelope."""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from idolchat_api.asgi.requests import in_words_of_json
from idolchat_api.asgi.responses import problem_headers
from idolchat_api.errors import Problem, problem_from
from idolchat_api.http.catch_all import is_catch_all
from idolchat_core.errors import IdolchatError, InvalidRequest

__all__ = ["http_exception", "idolchat_error", "validation_error"]


async def idolchat_error(request: Request, error: Exception) -> Response:
    return _response(request, problem_from(cast(IdolchatError, error)))


async def validation_error(request: Request, error: Exception) -> Response:
    """Answer invalid query or path parameters."""
    first = cast(RequestValidationError, error).errors()[0]
    param = str(first["loc"][-1])
    return _response(request, problem_from(InvalidRequest(f"{param}: {in_words_of_json(first['msg'])}", param=param)))


async def http_exception(request: Request, error: Exception) -> Response:
    """Answer an unknown path or method."""
    status = cast(HTTPException, error).status_code
    methods = _methods_of(request)
    # A folder of files under "/" takes every path: it has no file where another method has a route, and no method where
    # there is nothing but files.
    if status == HTTPStatus.NOT_FOUND and methods and request.method not in methods:
        status = HTTPStatus.METHOD_NOT_ALLOWED
    elif status == HTTPStatus.METHOD_NOT_ALLOWED and not methods:
        status = HTTPStatus.NOT_FOUND
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"{request.method} is not for this path; it takes {', '.join(methods)}"
        response = _response(request, _problem(status, "method_not_allowed", message))
        response.headers["allow"] = ", ".join(methods)
        return response
    if status == HTTPStatus.NOT_FOUND:
        message = "there is nothing at this path; /openapi.json lists what there is"
        return _response(request, _problem(status, "not_found", message))
    return _response(request, _problem(status, "http_error", HTTPStatus(status).phrase))


def _methods_of(request: Request) -> list[str]:
    """Return the methods that the request's path takes, files under ``/`` apart."""
    methods: set[str] = set()
    for route in request.app.routes:
        if not isinstance(route, Route) or is_catch_all(route):
            continue
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return sorted(methods)


def _problem(status: int, code: str, message: str) -> Problem:
    return Problem(status=status, type="invalid_request_error", code=code, message=message)


def _response(request: Request, problem: Problem) -> Response:
    response = Response(
        problem.body(request.state.request_id), status_code=problem.status, media_type="application/json"
    )
    for name, value in problem_headers(problem):
        response.headers[name.decode()] = value.decode()
    return response
