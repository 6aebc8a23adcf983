"""The work of one delta from the provider to the connection, in calls: the same on any machine, however busy."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from starlette.types import ASGIApp, Message, Scope

from idolchat_api import ApiSettings, create_app
from idolchat_core.llm import Delta
from idolchat_core.plugins import Plugins
from idolchat_core.testing import ScriptedProvider

MOST_CALLS = 160
"""A delta took 108 when this was written; 70 of them are the event loop's and the scripted provider's own."""


class Calls:
    """Counts calls of functions, Python's and C's, made by this thread."""

    count = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            self.count += 1


@contextmanager
def counting() -> Iterator[Calls]:
    calls = Calls()
    sys.setprofile(calls)
    try:
        yield calls
    finally:
        sys.setprofile(None)


async def test_a_delta_costs_few_calls(settings: ApiSettings, plugins: Plugins, provider: ScriptedProvider) -> None:
    app = create_app(settings=settings, plugins=plugins)
    counts = {}
    async with app.router.lifespan_context(app):
        for deltas in (50, 200, 1200):  # the first is a warm-up
            provider.say([Delta("word ") for _ in range(deltas)])
            with counting() as calls:
                pieces = await streamed(app)
            assert pieces.count(b'"content":"word "') == deltas
            counts[deltas] = calls.count

    assert (counts[1200] - counts[200]) / 1000 <= MOST_CALLS


async def streamed(app: ASGIApp) -> bytes:
    body = json.dumps({"messages": [{"role": "user", "content": "Hello!"}]}).encode()
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/chat/stream",
        "raw_path": b"/chat/stream",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    received = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[bytes] = []

    async def receive() -> Message:
        if received:
            return received.pop()
        await never.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))

    never = asyncio.Event()
    await app(scope, receive, send)
    return b"".join(sent)
