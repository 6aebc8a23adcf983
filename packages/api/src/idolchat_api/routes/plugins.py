"""Routes of plugins: routers and folders of files, with the rights that each is registered with."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from fastapi import APIRouter
from starlette.routing import BaseRoute, Route

from idolchat_api.auth.caller import Caller
from idolchat_api.http.authorization import Access, Identify, MayAccess, RouteRule, Wants, protected
from idolchat_api.routes.static_files import static_routes
from idolchat_core.errors import ConfigurationError, PluginBroken, PluginNameTaken

__all__ = ["HOOK", "RouteRegistry"]

HOOK = "idolchat_register_routes"
BUILT_IN = "idolchat-api"
_RESERVED = ("/docs", "/docs/{}", "/openapi.json", "/asyncapi.json", "/metrics", "/ws/chat")
"""Paths of the server that are not always there, or no plain routes."""
_PREFIX = re.compile(r"/|(?:/[\w.~-]+)+")
_PARAMETER = re.compile(r"{[^}]*}")


async def _any_file(caller: Caller, path: str, wants: Wants) -> bool:
    return True


class RouteRegistry:
    """What ``idolchat_register_routes`` fills; the paths of ``built_in`` routes are taken."""

    def __init__(self, built_in: Iterable[BaseRoute] = ()) -> None:
        self._adding = BUILT_IN
        self._origins = dict.fromkeys((("GET", path) for path in _RESERVED), BUILT_IN)
        self._routes: list[Route] = []
        self._static: dict[str, list[Route]] = {}
        self.body_limits: dict[str, int] = {}
        for route in built_in:
            if isinstance(route, Route):
                self._claim(route)
        self._adding = "the application"

    def adding_from(self, origin: str) -> None:
        """Set whose registrations follow."""
        self._adding = origin

    def add_router(
        self,
        router: APIRouter,
        *,
        access: Access | None = None,
        find: Mapping[str, MayAccess] | None = None,
        page: bool = False,
        body_limits: Mapping[str, int] | None = None,
        identify: Identify | None = None,
    ) -> None:
        """Add the routes of a router, which must be complete.

        ``access`` says who may call them. ``find`` has a rule for each id in their paths, such as
        ``{"memory_id": may}``; where the rule returns False the answer is a 404. With ``page`` they answer with pages,
        which may load scripts, styles and images of this server, and no inline script. ``body_limits`` are the bytes of
        a body at those of their paths that take larger ones than ``IDOLCHAT_API_MAX_BODY_BYTES``, and hold no id.
        ``identify`` says who is calling where something else than the token tells; it is asked before rights are looked
        at, and must not believe what anybody could write.
        Raises ``PluginBroken`` and ``PluginNameTaken``.
        """
        self.body_limits |= self._checked_limits(router, body_limits or {})
        rule = RouteRule(
            access=self._stated(access, "add_router(router"), find=find or {}, is_page=page, identify=identify
        )
        unused = set(rule.find)
        for route in router.routes:
            if not isinstance(route, Route):
                raise PluginBroken(
                    f"{self._adding} registers a router that holds a {type(route).__name__}, but only plain routes can"
                    " be protected; register a router that it includes on its own, and files with add_static"
                )
            self._routes.append(self._protected(route, rule))
            unused -= route.param_convertors.keys()
        if unused:
            raise PluginBroken(f"{self._adding} has a rule for {min(unused)!r}, which stands in no path of the router")

    def add_static(self, prefix: str, folder: Path | str, *, access: Access | None = None) -> None:
        """Add a folder of files under a prefix such as ``/ui``, or ``/``; ``index.html`` answers for a folder.

        They are pages (see ``add_router``). A browser sends no token with an address that is typed in, so ``access``
        is mostly ``Access.OPEN``. Raises ``PluginBroken`` and ``PluginNameTaken``.
        """
        stated = self._stated(access, f'add_static("{prefix}", folder')
        rule = RouteRule(access=stated, find={"file": _any_file}, is_page=True)
        if not _PREFIX.fullmatch(prefix):
            raise PluginBroken(f"{self._adding} registers files under {prefix!r}; a prefix is / or like /ui")
        if not Path(folder).is_dir():
            raise PluginBroken(f"{self._adding} registers the files of {folder}, which is no folder")
        self._static[prefix] = [self._protected(route, rule) for route in static_routes(prefix, Path(folder))]

    @property
    def routes(self) -> list[Route]:
        """All routes in the order in which they are to be matched: files after the rest, longer prefixes first."""
        static = [routes for _, routes in sorted(self._static.items(), key=lambda item: -len(item[0]))]
        return [*self._routes, *(route for routes in static for route in routes)]

    @property
    def has_start_page(self) -> bool:
        """Whether a plugin answers ``GET /``."""
        return ("GET", "/") in self._origins or "/" in self._static

    def _stated(self, access: Access | None, call: str) -> Access:
        if access is None:
            raise PluginBroken(
                f"{self._adding} does not say who may call its routes: write registry.{call}, access=Access.CALLER) for"
                " those with a token, or Access.READ, CHAT, ADMIN for a scope, or Access.OPEN for anyone"
            )
        return Access(access)

    def _checked_limits(self, router: APIRouter, limits: Mapping[str, int]) -> Mapping[str, int]:
        paths = {getattr(route, "path", None) for route in router.routes}
        for path in limits:
            if path not in paths:
                raise PluginBroken(f"{self._adding} limits the body at {path!r}, which is no path of the router")
        return limits

    def _protected(self, route: Route, rule: RouteRule) -> Route:
        self._claim(route)
        mine = copy.copy(route)  # the router may be registered with another application, too
        try:
            mine.app = protected(mine, rule)
        except ConfigurationError as error:
            raise PluginBroken(f"{self._adding}: {error}") from None
        return mine

    def _claim(self, route: Route) -> None:
        path = _PARAMETER.sub("{}", route.path)
        for method in route.methods or ():
            taken_by = self._origins.get((method, path))
            if taken_by is not None:
                raise PluginNameTaken(
                    f"{self._adding} registers {method} {route.path}, which {taken_by} already has; uninstall one of"
                    " them, or name the plugins to load in IDOLCHAT_PLUGINS"
                )
            self._origins[method, path] = self._adding
