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
from idolchat_api.allocator import return_freed_memory, trimming_freed_memory
from idolchat_api.app import create_app
from idolchat_api.app_state import AppState
from idolchat_api.auth.schemes import NONE, OPEN_ADDRESS
from idolchat_api.connections.forwarded import Forwarded
from idolchat_api.connections.http_protocol import limited_protocols
from idolchat_api.connections.limiter import ConnectionLimiter
from idolchat_api.connections.listening import BACKLOG, bind_beside, kept_for_workers, listen, local_url, url_of
from idolchat_api.observability.logs import configure_logging
from idolchat_api.settings.api import ApiSettings
from idolchat_api.workers import Workers
from idolchat_core.plugins.loader import Plugins
from idolchat_core.service import Service
from idolchat_core.settings import read_settings
from idolchat_core.storage.data_lock import is_served
from idolchat_core.storage.server_address import announced

__all__ = ["GracefulServer", "rehearse", "serve"]

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 75  # longer than proxies keep an idle connection for (nginx: 60 s), so that they close it first
LAST_REPLIES_S = 5
FORCED_SHUTDOWN_S = 1
TICK_S = 0.1
SWITCH_INTERVAL_S = 0.001
"""So long the event loop may keep a thread waiting that comes back from the disk; Python's own is 5 ms."""

_HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none


def serve(
    settings: ApiSettings | None = None,
    *,
    plugins: Plugins | Sequence[object] | None = None,
    on_started: Callable[[Service, str], None] | None = None,
) -> None:
    """Serve until Ctrl-C, SIGTERM or SIGHUP; returns when everything is closed.

    With several ``workers``, each is a process of its own, and this one watches over them. ``on_started`` is called
    once with the open service and the server's URL, in the first of them. Raises ``ConfigurationError`` when the
    address or the data folder cannot be had, and what the parts raise that cannot be opened.
    """
    settings = settings or read_settings(ApiSettings)
    configure_logging(settings.log_level, settings.log_format)
    return_freed_memory()
    with contextlib.suppress(KeyboardInterrupt, StopNow):
        app = create_app(settings=settings, plugins=plugins)
        listener = listen(settings.host, settings.port)
        if settings.workers > 1:
            listener = kept_for_workers(listener)
        with listener:
            _warn_if_open(settings)
            if settings.workers == 1:
                _run(GracefulServer(app, settings), listener, on_started)
            else:
                _run_workers(app, settings, listener, on_started)


def _run(server: GracefulServer, listener: socket.socket, on_started: Callable[[Service, str], None] | None) -> None:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(server.open_and_serve(listener, on_started))


def _run_workers(
    app: FastAPI,
    settings: ApiSettings,
    kept: socket.socket,
    on_started: Callable[[Service, str], None] | None,
) -> None:
    def serve_in_worker(is_first: bool, ready: Callable[[], None]) -> None:
        server = GracefulServer(app, settings)

        def started(service: Service, url: str) -> None:
            workers.stop_when_alone(lambda: server.handle_exit(signal.SIGTERM, None))
            ready()
            if is_first and on_started is not None:
                on_started(service, url)

        with contextlib.suppress(KeyboardInterrupt, StopNow), bind_beside(kept) as listener:
            _run(server, listener, started)

    gc.freeze()  # the workers share what is there
    workers = Workers(settings.workers, serve_in_worker)
    workers.run()


def rehearse(settings: ApiSettings) -> bool:
    """Check what a start checks before it opens anything; return whether a server runs on the data folder already.

    Raises ``ConfigurationError`` for a login scheme that is not there, an open address, or a port that is taken, and
    ``PluginError``.
    """
    create_app(settings=settings)
    if is_served(settings.data_dir):
        return True
    with listen(settings.host, settings.port):
        return False


class StopNow(Exception):
    """A second signal asks to stop without waiting."""


class GracefulServer(uvicorn.Server):
    """A server that finishes running turns, and their streams, before it closes; a second Ctrl-C stops at once."""

    def __init__(self, app: FastAPI, settings: ApiSettings) -> None:
        self._limiter = ConnectionLimiter(settings)
        super().__init__(_config(app, settings, self._limiter))
        self._app = app
        self._settings = settings
        self._opening_or_closing: asyncio.Task[None] | None = None

    async def open_and_serve(
        self, listener: socket.socket, on_started: Callable[[Service, str], None] | None = None
    ) -> None:
        """Open the services, serve, and close them. Raises ``StopNow`` when a signal interrupted opening or closing."""
        with self.capture_signals():
            self._opening_or_closing = asyncio.current_task()
            try:
                # Entered here, not by uvicorn, which would answer an error in it with a traceback and exit.
                async with self._app.router.lifespan_context(self._app):
                    self._opening_or_closing = None
                    _tune_garbage_collection()
                    sys.setswitchinterval(SWITCH_INTERVAL_S)
                    with announced(self._settings.data_dir, local_url(listener)) as token:
                        self._running.authentication.owner_token = token
                        if on_started is not None:
                            on_started(self._running.service, url_of(listener, host=self._settings.host))
                        async with trimming_freed_memory():
                            await self.serve(sockets=[listener])
                    self._opening_or_closing = asyncio.current_task()
                    if self.force_exit:
                        raise StopNow  # through the parts, so that they do not wait either
            except asyncio.CancelledError:
                if self.should_exit:
                    raise StopNow from None
                raise

    @property
    def _running(self) -> AppState:
        running: AppState = self._app.state.idolchat
        return running

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and start closing connections that are too slow."""
        self._watching = asyncio.create_task(self._limiter.watch())
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse new turns, wait for running ones, then close as uvicorn does."""
        self._running.is_stopping = True
        logger.info("stopping", extra={"turns": self._running.service.turns.running})
        draining = asyncio.ensure_future(self._drain(grace_s=self._settings.shutdown_grace_s))
        while not (draining.done() or self.force_exit):
            await asyncio.wait({draining}, timeout=TICK_S)
        if self.force_exit:
            draining.cancel()
            await asyncio.wait({asyncio.ensure_future(self._drain(grace_s=0))}, timeout=FORCED_SHUTDOWN_S)
            self.config.timeout_graceful_shutdown = FORCED_SHUTDOWN_S
        await super().shutdown(sockets)
        self._watching.cancel()

    async def _drain(self, *, grace_s: float) -> None:
        await self._running.service.turns.drain(grace_s=grace_s)
        await asyncio.gather(*(callback() for callback in list(self._running.shutdown_callbacks)))

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle SIGINT, SIGTERM and SIGHUP; unlike uvicorn, do not raise the signal again after a clean end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # A SIGHUP that `nohup` ignores stays ignored.
        hears_hangup = _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN
        numbers = [signal.SIGINT, signal.SIGTERM, *([_HANGUP] if _HANGUP is not None and hears_hangup else ())]
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; without waiting on the second signal, or when no turn can be running.

        A terminal that closes may send SIGHUP twice, as the shell and as the kernel: it never asks not to wait.
        """
        if self.should_exit and sig == _HANGUP:
            return
        self.force_exit = self.should_exit
        self.should_exit = True
        if self._opening_or_closing is not None:
            self._opening_or_closing.get_loop().call_soon_threadsafe(self._opening_or_closing.cancel)


def _tune_garbage_collection() -> None:
    """Run the cyclic garbage collector rarely: turns leave no cycles, and each run delays every stream.

    What is there now stays, so it is not looked through again; what failed requests leave is found after all.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def _config(app: ASGIApp, settings: ApiSettings, limiter: ConnectionLimiter) -> uvicorn.Config:
    http, websocket = limited_protocols(limiter, settings, has_login=settings.auth != NONE)
    trusted = list(settings.trusted_proxies)
    return uvicorn.Config(
        Forwarded(app, trusted) if trusted else app,
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
        proxy_headers=False,  # Forwarded reads them
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


def _warn_if_open(settings: ApiSettings) -> None:
    if settings.auth == NONE and not is_loopback(settings.host.lower()):
        logger.warning(OPEN_ADDRESS, extra={"host": settings.host, "port": settings.port})
