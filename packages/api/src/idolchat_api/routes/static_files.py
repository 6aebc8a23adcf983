"""Folders of files under a prefix."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from idolchat_api.http.catch_all import EVERY_PATH
from idolchat_api.http.path_prefix import prefix_of

__all__ = ["static_routes"]

_METHODS = ["GET", "HEAD"]
_REVALIDATE = "no-cache"  # files have an ETag, so a page that has not changed costs one small answer


def static_routes(prefix: str, folder: Path) -> list[Route]:
    """Return the routes that serve a folder: its files, and a redirect from the prefix to the folder."""
    if prefix == "/":
        return [Route(EVERY_PATH, _Files(folder), methods=_METHODS)]
    files = Route(f"{prefix}/{{file:path}}", _Files(folder), methods=_METHODS)
    return [Route(prefix, _Redirect(f"{prefix}/"), methods=_METHODS), files]


class _Files(StaticFiles):
    """Serves the file that the path names; ``index.html`` for a path that ends with a slash."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder)

    def get_path(self, scope: Scope) -> str:
        path = f"/{scope['path_params']['file']}"
        return super().get_path({**scope, "path": f"{path}index.html" if path.endswith("/") else path, "root_path": ""})

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = _REVALIDATE
        return response


class _Redirect:
    """Sends the browser to a path of this server, whatever the Host header says."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        location = scope.get("root_path", "") + prefix_of(scope) + self._path
        await Response(status_code=308, headers={"location": location})(scope, receive, send)
