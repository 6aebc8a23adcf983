"""``/ws/chat``: conversations over one WebSocket."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope, Send

from idolchat_api.app_state import app_state
from idolchat_api.auth.principal import NOBODY
from idolchat_api.errors import Unauthenticated
from idolchat_api.streaming.websocket_session import Session

__all__ = ["ChatSocket"]

HOW = 'send {"type": "auth", "token": "..."} first'


class ChatSocket:
    """The ASGI application of the WebSocket."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until it closes; without a token in the handshake, its first frame must bring one."""
        await receive()
        await send({"type": "websocket.accept"})
        async with Session(scope, send) as session:
            if scope["state"]["principal"] is NOBODY:
                try:
                    async with asyncio.timeout(app_state(scope).settings.ws_auth_timeout_s):
                        message = await receive()
                except TimeoutError:
                    await session.revoke(Unauthenticated(f"no token came in time: {HOW}"))
                    return
                if not await _handled(message, session):
                    return
            while await _handled(await receive(), session):
                pass


async def _handled(message: Message, session: Session) -> bool:
    """Handle a message; False when the socket is closed."""
    if message["type"] != "websocket.receive":
        return False
    await session.handle(message)
    return not session.is_revoked
