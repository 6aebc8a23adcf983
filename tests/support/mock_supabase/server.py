"""The server, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from aiohttp import web

from tests.support.mock_supabase.refusals import refused
from tests.support.mock_supabase.rest_api import RestApi
from tests.support.mock_supabase.state import Fault, State, StoredObject
from tests.support.mock_supabase.storage_api import StorageApi

__all__ = ["MockSupabase"]

BUCKET = "conversations"


class MockSupabase:
    """A running stand-in; ``url`` is what ``SUPABASE_URL`` is set to."""

    def __init__(self, port: int = 0) -> None:
        self.state = State()
        self._socket = socket.create_server(("127.0.0.1", port))
        self._port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mock-supabase", daemon=True)
        self._runner: web.AppRunner | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, at the same address as before."""
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(timeout=60)

    def stop(self) -> None:
        """Be down: drop all connections and refuse new ones; what is stored stays."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(timeout=60)

    def reset(self) -> None:
        """Forget everything, and be well."""
        self.state.__init__()  # type: ignore[misc]
        if self._runner is None:
            self.start()

    def fail_next(self, fault: Fault, *, call: str = "", times: int = 1) -> None:
        """Let the next calls that begin so, such as ``POST /object/``, end in a fault."""
        self.state.next_faults += [(call, fault)] * times

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """Let every call end in a fault."""
        self.state.always = fault
        try:
            yield
        finally:
            self.state.always = None

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Let calls wait for the end of this."""
        self.state.holds = threading.Event()
        try:
            yield
        finally:
            self.state.holds.set()
            self.state.holds = None

    def object(self, key: str, *, bucket: str = BUCKET) -> StoredObject:
        """Find an object; ``KeyError`` when there is none."""
        return self.state.objects[bucket, key]

    def documents(self, *, bucket: str = BUCKET) -> dict[str, bytes]:
        """Return what every conversation's object holds, by the conversation's id."""
        return {key.removesuffix(".json"): stored.data for key, stored in self.state.keys(bucket) if "/" not in key}

    def remove(self, key: str, *, bucket: str = BUCKET) -> None:
        """Take an object away, as somebody may in the dashboard."""
        del self.state.objects[bucket, key]

    def add_bucket(self, *, bucket: str = BUCKET) -> None:
        """Make the bucket, as somebody may in the dashboard."""
        self.state.add_bucket(bucket)

    def drop_bucket(self, *, bucket: str = BUCKET) -> None:
        """Take the bucket away, as somebody may in the dashboard."""
        del self.state.buckets[bucket]
        for place in [place for place in self.state.objects if place[0] == bucket]:
            del self.state.objects[place]

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 30, middlewares=[self._faulty])
        StorageApi(self.state).add_to(app)
        RestApi(self.state).add_to(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        if self._socket.fileno() < 0:
            self._socket = socket.create_server(("127.0.0.1", self._port))
        await web.SockSite(self._runner, self._socket).start()

    async def _stop(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    @web.middleware
    async def _faulty(self, request: web.Request, handler: Any) -> web.StreamResponse:
        call = f"{request.method} {request.path.partition('/v1')[2]}"
        self.state.calls[call.split("/conversations", maxsplit=1)[0]] += 1
        await self.state.held()
        await asyncio.sleep(self.state.answers_after_s)
        fault = self.state.fault_of(call)
        if fault is None or fault is Fault.RESET_AFTER:
            try:
                answer: web.StreamResponse = await handler(request)
            except web.HTTPNotFound:
                message = f"Route {request.method}:{request.path.partition('/v1')[2]} not found"
                body = {"message": message, "error": "Not Found", "statusCode": 404}
                return web.json_response(body, status=404)
            if fault is None:
                return answer
        return _failed(request, fault)


def _failed(request: web.Request, fault: Fault) -> web.Response:
    is_storage = request.path.startswith("/storage")
    match fault:
        case Fault.HTML:
            page = "<html><head><title>503 Service Temporarily Unavailable</title></head></html>"
            return web.Response(status=503, text=page, content_type="text/html")
        case Fault.THROTTLED if is_storage:
            body = {"statusCode": "429", "error": "too_many_connections", "message": "Too many connections issued"}
            return web.json_response({**body, "code": "SlowDown"}, status=429)
        case Fault.THROTTLED:
            return web.json_response({"message": "API rate limit exceeded"}, status=429)
        case Fault.ERROR if is_storage:
            return refused("InternalError").response
        case Fault.ERROR:
            body = {"code": "PGRST002", "message": "Could not query the database for the schema cache. Retrying."}
            return web.json_response({**body, "details": None, "hint": None}, status=503)
        case _:
            assert request.transport
            request.transport.abort()
            return web.Response()
