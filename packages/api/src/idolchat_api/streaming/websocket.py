"""``/ws/chat``: conversations over one socket."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope, Send

from idolchat_api.app_state import running
from idolchat_api.auth.principal import NOBODY
from idolchat_api.errors import Unauthenticated
from idolchat_api.streaming.websocket_session import Session

__all__ = ["ChatSocket"]

HOW = 'send {"type": "auth", "token": "..."} first'


class ChatSocket:
    """The ASGI application of the socket."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until it closes; one that came without a token has a while to send it."""
        await receive()
        await send({"type": "websocket.accept"})
        async with Session(scope, send) as session:
            if scope["state"]["principal"] is NOBODY:
                try:
                    async with asyncio.timeout(running(scope).settings.ws_auth_timeout_s):
                        message = await receive()
                except TimeoutError:
                    await session.put_out(Unauthenticated(f"no token came in time: {HOW}"))
                    return
                if not await _took(message, session):
                    return
            while await _took(await receive(), session):
                pass


async def _took(message: Message, session: Session) -> bool:
    """Do what a message says; False when there is nothing more to come."""
    if message["type"] != "websocket.receive":
        return False
    await session.take(message)
    return not session.is_put_out
