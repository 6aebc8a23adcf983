"""The application: routes around an open service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route, WebSocketRoute

from idolchat_api import hookspecs
from idolchat_api.app_state import AppState
from idolchat_api.auth.authenticator import Authenticator
from idolchat_api.auth.open_sessions import recheck_sessions
from idolchat_api.auth.schemes import HOOK, check_address, check_scheme, new_registry, open_authentication, schemes_of
from idolchat_api.http import exception_handlers, openapi
from idolchat_api.http.application import Application
from idolchat_api.http.authorization import protect_routes
from idolchat_api.http.catch_all import is_catch_all
from idolchat_api.http.cors import CORS
from idolchat_api.http.host_guard import Guard
from idolchat_api.observability.instrumentation import instrumented
from idolchat_api.routes import chat, conversations, health, messages, models, turns, usage
from idolchat_api.routes.pages import reference_routes, start_route
from idolchat_api.routes.plugins import HOOK as ROUTES_HOOK
from idolchat_api.routes.plugins import RouteRegistry
from idolchat_api.settings.api import ApiSettings
from idolchat_api.streaming.websocket import ChatSocket
from idolchat_api.version import VERSION
from idolchat_api.workers import check_workers
from idolchat_core.choice import is_shared
from idolchat_core.errors import IdolchatError
from idolchat_core.plugins.loader import Fillable, Plugins, load_plugins
from idolchat_core.plugins.registry import ServiceRegistry
from idolchat_core.service import open_service
from idolchat_core.settings import read_settings
from idolchat_core.storage.data_lock import locked_data_folder

__all__ = ["create_app"]


BUILT_IN_ROUTES = (
    *chat.routes,
    *turns.routes,
    *conversations.routes,
    *messages.routes,
    *models.routes,
    *usage.routes,
    *health.routes,
)


def create_app(*, settings: ApiSettings | None = None, plugins: Plugins | Sequence[object] | None = None) -> FastAPI:
    """Create the ASGI application. It opens storage and provider when it starts, and closes them when it stops.

    ``settings`` are read from the environment where they are not given. ``plugins`` are loaded ones, or modules and
    objects to load beside the installed ones. Routes may be added until it starts. Raises ``ConfigurationError`` and
    ``PluginError``.
    """
    settings = settings or read_settings(ApiSettings)
    if not isinstance(plugins, Plugins):
        registries: dict[str, Fillable] = {HOOK: new_registry(), ROUTES_HOOK: RouteRegistry(BUILT_IN_ROUTES)}
        plugins = load_plugins(*(plugins or ()), only=settings.plugins, specs=[hookspecs], registries=registries)
    check_workers(settings, plugins, settings.workers)
    check_address(settings)
    registry = schemes_of(plugins)
    check_scheme(settings, registry)
    routes = _routes_of(plugins)
    app = Application(
        guard=Guard(settings, body_limits=routes.body_limits),
        prefix=settings.root_path,
        title="idolchat",
        version=VERSION,
        description=openapi.DESCRIPTION,
        lifespan=_lifespan(settings, plugins, registry),
        openapi_url="/openapi.json" if settings.shows_docs else None,
        docs_url=None,  # FastAPI's own loads scripts of another server
        redoc_url=None,
        redirect_slashes=False,  # to an address made of the Host header, which anybody may set
        exception_handlers={
            IdolchatError: exception_handlers.idolchat_error,
            HTTPException: exception_handlers.http_exception,
            RequestValidationError: exception_handlers.validation_error,
        },
    )
    app.router.routes[:0] = [*BUILT_IN_ROUTES, WebSocketRoute("/ws/chat", ChatSocket(), name="ws_chat")]
    app.router.routes += _pages_and_plugins(settings, routes)
    app.openapi = lambda: openapi.document(app, token=_token_description(app))  # type: ignore[method-assign]
    if settings.allowed_origins:  # around the rest, so that a page may read why it is refused
        app.add_middleware(
            CORS,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["*"],  # SDKs send a dozen of their own, and their origin is let in
            expose_headers=["ETag", "Retry-After", "WWW-Authenticate", "X-Idolchat-Conversation", "X-Request-ID"],
        )
    return app


def _routes_of(plugins: Plugins) -> RouteRegistry:
    registry = plugins.filled_by.get(ROUTES_HOOK)
    return registry if isinstance(registry, RouteRegistry) else RouteRegistry()  # loaded by somebody else


def _pages_and_plugins(settings: ApiSettings, registry: RouteRegistry) -> list[Route]:
    start = [] if registry.has_start_page else [start_route(shows_docs=settings.shows_docs)]
    return [*start, *(reference_routes() if settings.shows_docs else ()), *registry.routes]


def _token_description(app: FastAPI) -> str | None:
    running: AppState | None = getattr(app.state, "idolchat", None)
    authenticator = running.authentication.authenticator if running is not None else None
    return authenticator.description if authenticator is not None else None


def _lifespan(
    settings: ApiSettings, plugins: Plugins, registry: ServiceRegistry[Authenticator]
) -> Callable[[Application], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Application) -> AsyncGenerator[None]:
        app.router.routes.sort(key=is_catch_all)  # after the routes that were added since the application was made
        protect_routes(app.routes)
        app.enable_direct_dispatch()
        with nullcontext() if is_shared(settings, plugins) else locked_data_folder(settings.data_dir):
            async with (
                open_service(settings, plugins, recovers=True) as service,
                open_authentication(settings, registry, service.services) as authentication,
            ):
                app.state.idolchat = state = AppState.of(settings, service, authentication)
                async with (
                    recheck_sessions(state.open_sessions),
                    instrumented(
                        service,
                        settings.metrics_token,
                        open_sockets=lambda: len(state.shutdown_callbacks),
                        is_stopping=lambda: state.is_stopping,
                    ) as state.instrumentation,
                ):
                    yield

    return lifespan
