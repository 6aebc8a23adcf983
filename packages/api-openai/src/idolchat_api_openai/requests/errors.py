"""Errors as OpenAI's clients know them: what is wrong with a request is a 400."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from pydantic import BaseModel, ValidationError

from idolchat_api import MalformedRequest, NotFound, Problem
from idolchat_core import ContextTooLong, InvalidRequest

__all__ = ["BadRequest", "ModelUnknown", "in_openai_words", "openai_problem", "unstored_problem", "validated"]


class BadRequest(MalformedRequest):
    """Something is wrong with the request; ``param`` names the field."""

    code = "invalid_value"


class ModelUnknown(NotFound):
    """There is no such model."""

    code = "model_not_found"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.param = "model"


CONTEXT_TOO_LONG = "context_length_exceeded"
"""What clients look for to shorten a history by themselves."""


class _TooLong(BadRequest):
    code = CONTEXT_TOO_LONG


@contextmanager
def in_openai_words() -> Generator[None]:
    """Raise what is wrong with a request as the 400 that OpenAI answers."""
    try:
        yield
    except MalformedRequest:
        raise
    except InvalidRequest as error:
        raise BadRequest(str(error), param=error.param) from error
    except ContextTooLong as error:
        raise _TooLong(str(error)) from error


def openai_problem(problem: Problem) -> Problem:
    """Return an error of a turn as OpenAI words it."""
    return replace(problem, code=CONTEXT_TOO_LONG) if problem.code == ContextTooLong.code else problem


def unstored_problem(problem: Problem) -> Problem:
    """Return an error of an answer that is stored nowhere, as OpenAI words it: no id of it leads anywhere."""
    fields = {name: value for name, value in problem.fields.items() if not name.endswith("_id")}
    return replace(openai_problem(problem), fields=fields)


def validated[T: BaseModel](model: Callable[[Mapping[str, object]], T], fields: Mapping[str, object], place: str) -> T:
    """Make a value of a part of the body, ``place``. Raises ``BadRequest`` that names the field within."""
    try:
        return model(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "refused":  # a field that is not declared, which the text names
            raise BadRequest(said, param=first["ctx"]["param"]) from None
        inner = first["loc"][0] if first["loc"] and isinstance(first["loc"][0], str) else None
        param = ".".join(filter(None, (place, inner))) or "messages"
        raise BadRequest(f"{param}: {said}", param=param) from None
