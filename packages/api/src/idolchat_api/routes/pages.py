"""The server's own pages: ``/`` says what this is, ``/docs`` is the API reference, which needs no other server."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from idolchat_api.http.authorization import Access, RouteRule, protected
from idolchat_api.streaming import asyncapi

__all__ = ["reference_routes", "start_route"]

_PAGES = Path(__file__).parents[1] / "pages"
_REVALIDATE = {"cache-control": "no-cache"}
_WHAT = "This is an idolchat server: conversations with characters, over HTTP and WebSocket."
_REFERENCE = "Its API is described at /docs."
_NO_REFERENCE = "Its API reference is not served here; IDOLCHAT_API_DOCS=on serves it at /docs."


def reference_routes() -> list[Route]:
    """Return ``/docs``, ``/docs/events`` and what they load. They are open to anyone, as ``/openapi.json`` is."""
    swagger = Path(str(files("fastapi_offline") / "static"))
    pages = {
        "/docs": _PAGES / "docs.html",
        "/docs/start.js": _PAGES / "docs.js",
        "/docs/reference.css": _PAGES / "reference.css",
        "/docs/events": _PAGES / "events.html",
        "/docs/events.js": _PAGES / "events.js",
        "/docs/swagger-ui.css": swagger / "swagger-ui.css",
        "/docs/swagger-ui-bundle.js": swagger / "swagger-ui-bundle.js",
    }
    return [*(_page(path, file) for path, file in pages.items()), _events_document()]


def _events_document() -> Route:
    async def send(request: Request) -> Response:
        return JSONResponse(asyncapi.document(), headers=_REVALIDATE)

    return _open(Route("/asyncapi.json", send, include_in_schema=False))


def _page(path: str, file: Path) -> Route:
    async def send(request: Request) -> Response:
        return FileResponse(file, headers=_REVALIDATE)

    return _open(Route(path, send, include_in_schema=False))


def start_route(*, shows_docs: bool) -> Route:
    """Return ``GET /``, which says what this server is and where to go: a page for browsers, else plain text."""
    text = f"{_WHAT}\n{_REFERENCE if shows_docs else _NO_REFERENCE}\n"
    where = _REFERENCE.replace("/docs", '<a href="docs">/docs</a>') if shows_docs else _NO_REFERENCE
    page = f'<!doctype html>\n<html lang="en">\n<title>idolchat</title>\n<p>{_WHAT}</p>\n<p>{where}</p>\n</html>\n'

    async def send(request: Request) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        return HTMLResponse(page) if wants_page else PlainTextResponse(text)

    return _open(Route("/", send, include_in_schema=False))


def _open(route: Route) -> Route:
    route.app = protected(route, RouteRule(access=Access.OPEN, is_page=True))
    return route
