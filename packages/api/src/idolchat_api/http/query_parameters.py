"""Query parameters that a route declares; a request with another one is refused, so that no typo loses a filter."""

from __future__ import annotations

from collections.abc import Iterator, Set
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Route

from idolchat_api.asgi.raw_route import RawRoute
from idolchat_core.errors import InvalidRequest

__all__ = ["check_query", "declared_query"]

MAX_SHOWN_CHARACTERS = 64


def declared_query(route: Route) -> Set[str] | None:
    """Return the names of a route's query parameters; None where it takes any, as files and pages do."""
    if isinstance(route, RawRoute):
        return {parameter["name"] for parameter in route.query_parameters()}
    if not isinstance(route, APIRoute):
        return None
    parameters = [one for part in _parts(route.dependant) for one in part.query_params]
    if any(isinstance(kind := one.field_info.annotation, type) and issubclass(kind, BaseModel) for one in parameters):
        return None  # a model takes, refuses or ignores the rest by its own settings
    return {one.alias for one in parameters}


def _parts(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for dependency in dependant.dependencies:
        yield from _parts(dependency)


def check_query(query: bytes, declared: Set[str]) -> None:
    """Raise ``InvalidRequest`` for a parameter that is not declared."""
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in declared:
            shown = name[:MAX_SHOWN_CHARACTERS]
            there_are = f"there are {', '.join(sorted(declared))}" if declared else "it takes none"
            raise InvalidRequest(f"{shown}: is no query parameter of this path; {there_are}", param=shown)
