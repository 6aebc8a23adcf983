"""The server process: one address, one data folder, and a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from types import FrameType

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from idolchat_api.addresses import is_loopback
from idolchat_api.app import create_app
from idolchat_api.app_state import Running
from idolchat_api.auth.schemes import NONE, OPEN_ADDRESS
from idolchat_api.connections.http_protocol import guarded
from idolchat_api.connections.limiter import Doors
from idolchat_api.observability.logs import configure_logging
from idolchat_api.settings.api import ApiSettings
from idolchat_core.errors import ConfigurationError
from idolchat_core.plugins.loader import Plugins
from idolchat_core.service import Service
from idolchat_core.settings import read_settings

__all__ = ["GracefulServer", "listen", "serve", "url_of"]

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 75  # longer than proxies keep an idle connection for (nginx: 60 s), so that they close it first
LAST_REPLIES_S = 5
LAST_WORDS_S = 1
TICK_S = 0.1
SWITCH_INTERVAL_S = 0.001
"""So long the event loop may keep a thread waiting that comes back from the disk; Python's own is 5 ms."""
BACKLOG = 2048


def serve(
    settings: ApiSettings | None = None,
    *,
    plugins: Plugins | Sequence[object] | None = None,
    on_started: Callable[[Service, str], None] | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; returns when all is put away.

    ``on_started`` is called once with the open service and the server's URL. Raises ``ConfigurationError`` when the
    address or the data folder cannot be had, and what the parts raise that cannot be opened.
    """
    settings = settings or read_settings(ApiSettings)
    configure_logging(settings.log_level, settings.log_format)
    with contextlib.suppress(KeyboardInterrupt, StopNow):
        app = create_app(settings=settings, plugins=plugins)
        with listen(settings.host, settings.port) as listener:
            _warn_if_open(settings)
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(GracefulServer(app, settings).open_and_serve(listener, on_started))


class StopNow(Exception):
    """Somebody does not want to wait."""


class GracefulServer(uvicorn.Server):
    """Lets running turns finish, and their readers read the end, before it closes; the second Ctrl-C does not wait."""

    def __init__(self, app: FastAPI, settings: ApiSettings) -> None:
        self._doors = Doors(settings)
        super().__init__(_config(app, settings, self._doors))
        self._app = app
        self._settings = settings
        self._opening_or_closing: asyncio.Task[None] | None = None

    async def open_and_serve(
        self, listener: socket.socket, on_started: Callable[[Service, str], None] | None = None
    ) -> None:
        """Open the parts, serve, and close the parts. Raises ``StopNow`` when a signal cut one of them short."""
        with self.capture_signals():
            self._opening_or_closing = asyncio.current_task()
            try:
                # Entered here, not by uvicorn, which would answer an error in it with a traceback and exit.
                async with self._app.router.lifespan_context(self._app):
                    self._opening_or_closing = None
                    _collect_seldom()
                    sys.setswitchinterval(SWITCH_INTERVAL_S)
                    if on_started is not None:
                        on_started(self._running.service, url_of(listener, host=self._settings.host))
                    await self.serve(sockets=[listener])
                    self._opening_or_closing = asyncio.current_task()
                    if self.force_exit:
                        raise StopNow  # through the parts, so that they do not wait either
            except asyncio.CancelledError:
                if self.should_exit:
                    raise StopNow from None
                raise

    @property
    def _running(self) -> Running:
        running: Running = self._app.state.running
        return running

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and look after those who keep us waiting."""
        self._watching = asyncio.create_task(self._doors.watch())
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new turns, wait for those that run, then close as uvicorn does."""
        self._running.is_stopping = True
        logger.info("stopping", extra={"turns": self._running.service.turns.running})
        draining = asyncio.ensure_future(self._drain(grace_s=self._settings.shutdown_grace_s))
        while not (draining.done() or self.force_exit):
            await asyncio.wait({draining}, timeout=TICK_S)
        if self.force_exit:
            draining.cancel()
            await asyncio.wait({asyncio.ensure_future(self._drain(grace_s=0))}, timeout=LAST_WORDS_S)
            self.config.timeout_graceful_shutdown = LAST_WORDS_S
        await super().shutdown(sockets)
        self._watching.cancel()

    async def _drain(self, *, grace_s: float) -> None:
        await self._running.service.turns.drain(grace_s=grace_s)
        await asyncio.gather(*(farewell() for farewell in list(self._running.farewells)))

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle SIGINT and SIGTERM here; unlike uvicorn's own, a clean end is not ended by the signal after all."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at once when asked a second time, or when no turn can be running."""
        self.force_exit = self.should_exit
        self.should_exit = True
        if self._opening_or_closing is not None:
            self._opening_or_closing.get_loop().call_soon_threadsafe(self._opening_or_closing.cancel)


def _collect_seldom() -> None:
    """Have the collector of cycles look seldom: turns leave none, and each look holds every stream up.

    What is there now stays, so it is not looked through again; what failed requests leave is found after all.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def _config(app: ASGIApp, settings: ApiSettings, doors: Doors) -> uvicorn.Config:
    http, websocket = guarded(doors, settings, has_login=settings.auth != NONE)
    return uvicorn.Config(
        app,
        http=http,
        ws=websocket,
        ws_max_size=2 * settings.max_ws_message_bytes,
        ws_ping_interval=settings.heartbeat_s,
        ws_ping_timeout=max(20.0, settings.heartbeat_s),
        ws_per_message_deflate=False,
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        backlog=BACKLOG,
        workers=1,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=LAST_REPLIES_S,
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop  # noqa: PLC0415 - there is none for Windows

    return uvloop.new_event_loop


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket. Raises ``ConfigurationError``."""
    host = host.strip("[]")
    try:
        # With the protocol in it: asyncio turns Nagle's algorithm off only where it sees that a socket is TCP.
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ConfigurationError(
            f"IDOLCHAT_HOST: {host!r} is no address of this machine ({error.strerror}); write 127.0.0.1 to serve this"
            " machine only"
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"IDOLCHAT_PORT: cannot listen on {host} port {port} ({error.strerror}); stop what listens there, or set"
            " another port (0 takes a free one)"
        ) from error
    return listener


def url_of(listener: socket.socket, *, host: str) -> str:
    """Tell where a server is reached that listens on this socket by this name."""
    host = host.strip("[]")
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _warn_if_open(settings: ApiSettings) -> None:
    if settings.auth == NONE and not is_loopback(settings.host.lower()):
        logger.warning(OPEN_ADDRESS, extra={"host": settings.host, "port": settings.port})
