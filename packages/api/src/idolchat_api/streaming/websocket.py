"""``/ws/chat``: conversations over one socket."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from idolchat_api.dependencies import running
from idolchat_api.streaming.session import Session

__all__ = ["ChatSocket"]


class ChatSocket:
    """The ASGI application of the socket."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until it closes."""
        await receive()
        await send({"type": "websocket.accept"})
        async with Session(running(scope), send) as session:
            while (message := await receive())["type"] == "websocket.receive":
                await session.take(message)
