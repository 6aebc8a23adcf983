"""The session of one WebSocket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from starlette.types import Message, Send
from starlette.types import Scope as AsgiScope

from idolchat_api.app_state import app_state
from idolchat_api.asgi.client_connection import ClientLeft
from idolchat_api.asgi.direct_writes import direct_write_of
from idolchat_api.auth.caller import Caller
from idolchat_api.auth.open_sessions import OpenSession, token_of
from idolchat_api.auth.principal import NOBODY, Scope
from idolchat_api.errors import (
    BodyTooLarge,
    Forbidden,
    TokenExpired,
    TurnOver,
    Unauthenticated,
    UnsupportedMediaType,
    problem_from,
)
from idolchat_api.limits.request_context import set_key
from idolchat_api.observability.websocket_spans import FrameTrace
from idolchat_api.streaming.subscriptions import Subscriptions
from idolchat_api.streaming.websocket_frames import (
    ClientFrame,
    frame_text,
    greeted,
    problem_text,
    read_frame,
    turn_options,
    turn_request,
)
from idolchat_core.errors import ConversationMismatch, ConversationNotFound, IdolchatError, InvalidRequest, LimitReached
from idolchat_core.events.events import TurnState
from idolchat_core.models import Conversation, StoredId, new_id
from idolchat_core.models import Message as StoredMessage
from idolchat_core.request_context import CALLER

__all__ = ["Session"]

logger = logging.getLogger(__name__)

SHUTDOWN_TIMEOUT_S = 2.0
MAX_PAUSE_S = 1.0
"""How long, at most, nothing more is read of a socket that has sent too much."""
UNAUTHENTICATED = 4401  # as others answer what HTTP says with 401; the codes from 4000 on are free (RFC 6455, 7.4.2)
MAX_REASON_CHARACTERS = 100  # of the 123 bytes that a closing frame has room for
SERVICE_RESTART = 1012  # the code for a server that stops (IANA's registry of WebSocket close codes)

_READ_FRAMES = frozenset({"ping", "resume"})


@dataclass(frozen=True, slots=True)
class CurrentConversation:
    """The conversation of messages that name none."""

    conversation_id: UUID
    user_id: StoredId | None = None
    character_id: StoredId | None = None
    greeting: Sequence[StoredMessage] = ()


class Session:
    """Handles frames in order, while the events of turns are sent concurrently."""

    def __init__(self, scope: AsgiScope, send: Send) -> None:
        self._app = app = app_state(scope)
        self._state: dict[str, Any] = scope["state"]
        self._send = send
        self._open_session = OpenSession(principal=self._state["principal"], token=token_of(scope), revoke=self.revoke)
        self.is_revoked = False
        self._turns = app.service.turns
        self._current: CurrentConversation | None = None
        self._subscriptions = Subscriptions(self._send_text, direct_write=direct_write_of(scope))

    async def __aenter__(self) -> Self:
        self._app.shutdown_callbacks.add(self._shut_down)
        if self._open_session.principal is not NOBODY:
            self._app.open_sessions.add(self._open_session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._app.shutdown_callbacks.discard(self._shut_down)
        self._app.open_sessions.discard(self._open_session)
        await self._subscriptions.close(timeout_s=0)

    async def handle(self, message: Message) -> None:
        """Handle a frame, or answer with an error."""
        if self.is_revoked:
            return
        frame: ClientFrame | None = None
        try:
            try:
                frame = read_frame(self._text_of(message))
            finally:  # what cannot be read counts as well
                self._app.rates.take(self._open_session.principal, CALLER.get().address)
            await self._dispatch(frame)
        except Unauthenticated as error:
            await self._send_error(error, frame)
            await self.revoke(error)
        except LimitReached as error:
            await self._send_error(error, frame)
            await asyncio.sleep(min(error.retry_after_s, MAX_PAUSE_S))
        except IdolchatError as error:
            await self._send_error(error, frame)
        except ClientLeft:
            return  # what is received next says so
        except Exception:  # a fault of ours, which is no reason to close the socket on the other turns
            logger.exception("websocket frame failed")
            await self._send_error(IdolchatError("the server failed on this frame; its log says more"), frame)

    def _text_of(self, message: Message) -> str:
        text: str | None = message.get("text")
        limit = self._app.settings.max_ws_message_bytes
        if text is None:
            raise UnsupportedMediaType("frames must be text, not binary: a JSON object each")
        if len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit):
            raise BodyTooLarge(f"a frame has at most {limit} bytes (IDOLCHAT_API_MAX_WS_MESSAGE_BYTES)")
        return text

    async def _dispatch(self, frame: ClientFrame) -> None:
        if frame.type == "auth":
            await self._authenticate(frame)
            return
        frame = await self._authorized(frame)
        match frame.type:
            case "start_conversation":
                await self._start_conversation(frame)
            case "message":
                await self._begin_turn(frame)
            case "continue":
                await self._continue_reply(frame)
            case "resume":
                await self._resume(frame)
            case "cancel":
                self._cancel(frame)
            case _:
                await self._send_text(frame_text("pong", {}))

    @property
    def _caller(self) -> Caller:
        return Caller(self._open_session.principal, self._app.service, self._app.policy)

    async def _authenticate(self, frame: ClientFrame) -> None:
        """Handle a token: the first, or a fresh one of the same caller."""
        token = frame.token.get_secret_value() if frame.token is not None else ""
        before, principal = self._open_session.principal, await self._app.authentication.authenticate_token(token)
        if before is not NOBODY and (before.subject, before.user_id) != (principal.subject, principal.user_id):
            raise Forbidden("this socket is another caller's: open one of your own", param="token")
        if self._app.authentication.authenticator is not None:
            self._open_session.principal, self._open_session.token = principal, token
            self._state["principal"] = principal  # the log tells of who it turned out to be
            set_key(principal)
            self._app.open_sessions.add(self._open_session)
        await self._send_text(
            frame_text("authenticated", {"user_id": principal.user_id, "expires_at": principal.expires_at})
        )

    async def _authorized(self, frame: ClientFrame) -> ClientFrame:
        """Return the frame with its user filled in. Raises if the caller lacks the scope or may not access the turn."""
        session = self._open_session
        if session.principal is NOBODY:
            raise Unauthenticated('the first frame must be {"type": "auth", "token": "..."}')
        if session.has_expired:
            raise TokenExpired
        session.principal.require(Scope.READ if frame.type in _READ_FRAMES else Scope.CHAT)
        if frame.turn_id is not None:
            await self._caller.check_turn(frame.turn_id)
        user_id = self._caller.acting_for(frame.user_id)
        return frame if user_id == frame.user_id else frame.model_copy(update={"user_id": user_id})

    async def _start_conversation(self, frame: ClientFrame) -> None:
        frame = await self._with_ids(frame)
        known = None if frame.conversation_id is None else await self._existing(frame.conversation_id, frame)
        begun = known or await self._greeted(frame)
        self._current = current = begun or CurrentConversation(
            frame.conversation_id or new_id(), frame.user_id, frame.character_id
        )
        ids = {
            "conversation_id": current.conversation_id,
            "character_id": current.character_id,
            "user_id": current.user_id,
        }
        await self._send_text(frame_text("conversation_started", ids | greeted(current.greeting)))

    async def _with_ids(self, frame: ClientFrame) -> ClientFrame:
        """Return the frame with the ids of characters in the place of their slugs. Raises ``NotFound``."""
        one, several = frame.character_id, frame.character_ids
        named = [*([] if one is None else [one]), *(several or ())]
        if not any(isinstance(reference, str) for reference in named):
            return frame
        ids = await self._caller.ids_of(named, frame.user_id)
        found = {
            "character_id": None if one is None else ids[0],
            "character_ids": several and tuple(ids[-len(several) :]),
        }
        return frame.model_copy(update=found)

    async def _greeted(self, frame: ClientFrame) -> CurrentConversation | None:
        """Store a conversation with a character who is known, or with a persona.

        None where there is neither, and it begins with a message.
        """
        characters, user_id = frame.character_ids or (), frame.user_id
        if not characters and frame.character_id is not None:
            entry = await self._app.service.characters.find(frame.character_id, user_id)
            characters = () if entry is None and frame.persona_id is None else (frame.character_id,)
        if not characters and frame.persona_id is None:
            return None
        begun, _ = await self._caller.begin(
            characters,
            user_id,
            next_speaker=frame.next_speaker,
            persona_id=frame.persona_id,
            conversation_id=frame.conversation_id,
            greets=frame.greeting,
            idempotency_key=frame.client_message_id,
        )
        return CurrentConversation(begun.id, begun.user_id, begun.character_id, begun.messages)

    async def _existing(self, conversation_id: UUID, frame: ClientFrame) -> CurrentConversation | None:
        try:
            page = await self._app.service.storage.read_page(conversation_id, limit=1)
        except ConversationNotFound:
            return None
        known = page.conversation
        try:
            _check_same("user_id", frame.user_id, known.user_id, known)
            _check_same("character_id", frame.character_id, known.character_id, known)
        except ConversationMismatch as error:
            raise self._caller.hidden(error, conversation_id) from None
        return CurrentConversation(conversation_id, known.user_id, known.character_id)

    async def _begin_turn(self, frame: ClientFrame) -> None:
        with FrameTrace(self._app.instrumentation, frame.type, frame.traceparent) as trace:
            self._subscriptions.check_room()
            if isinstance(frame.character_id, str):
                frame = await self._with_ids(frame)
            request = turn_request(self._with_current(frame))
            turn = await self._caller.start(request, idempotency_key=frame.client_message_id)
        if frame.conversation_id is None and self._current is None:
            self._current = CurrentConversation(turn.conversation_id, frame.user_id, frame.character_id)
        trace.end_with(self._subscriptions.subscribe(turn, after=-1, client_message_id=frame.client_message_id))

    async def _continue_reply(self, frame: ClientFrame) -> None:
        with FrameTrace(self._app.instrumentation, frame.type, frame.traceparent) as trace:
            self._subscriptions.check_room()
            frame = self._with_current(frame)
            if frame.conversation_id is None or frame.message_id is None:
                param = "message_id" if frame.conversation_id else "conversation_id"
                raise InvalidRequest(f"{param}: says which reply to continue", param=param)
            await self._caller.check_conversation(frame.conversation_id)
            options = turn_options(frame)
            turn = await self._caller.continue_reply(frame.conversation_id, frame.message_id, options)
        trace.end_with(self._subscriptions.subscribe(turn, after=-1, client_message_id=frame.client_message_id))

    def _with_current(self, frame: ClientFrame) -> ClientFrame:
        current = self._current
        if current is None or frame.conversation_id not in (None, current.conversation_id):
            return frame
        ids = {
            "conversation_id": current.conversation_id,
            "user_id": frame.user_id or _uuid(current.user_id),
            "character_id": frame.character_id or _uuid(current.character_id),
        }
        return frame.model_copy(update=ids)

    async def _resume(self, frame: ClientFrame) -> None:
        if frame.turn_id is None:
            raise InvalidRequest("turn_id: says which turn to resume", param="turn_id")
        self._subscriptions.check_room()
        turn = await self._turns.find(frame.turn_id, after=frame.after_seq)
        after, last_seq = frame.after_seq, turn.status.last_seq or 0
        if turn.is_over:
            after = min(after, last_seq - 1)  # whoever asks is told the end, so that nobody waits for it in vain
        elif after > last_seq:
            raise InvalidRequest(f"after_seq: the turn has got to {last_seq} so far", param="after_seq")
        self._subscriptions.subscribe(turn, after=after)

    def _cancel(self, frame: ClientFrame) -> None:
        turn_id = frame.turn_id or self._subscriptions.newest
        if turn_id is None:
            raise InvalidRequest("turn_id: says which turn to cancel, for none is followed here", param="turn_id")
        self._subscriptions.spawn(self._cancelled(turn_id, frame, is_followed=turn_id in self._subscriptions))

    async def _cancelled(self, turn_id: UUID, frame: ClientFrame, *, is_followed: bool) -> None:
        try:
            status = await self._turns.cancel(turn_id)
            if is_followed:
                return  # its terminal event is told
            if status.state is not TurnState.CANCELLED:
                raise TurnOver(f"turn {turn_id} is {status.state} already")
            await self._send_text(
                frame_text("cancelled", {"conversation_id": status.conversation_id, "turn_id": turn_id})
            )
        except IdolchatError as error:
            await self._send_error(error, frame)

    async def _send_text(self, text: str) -> None:
        try:
            await self._send({"type": "websocket.send", "text": text})
        except OSError as error:
            raise ClientLeft from error

    async def _send_error(self, error: IdolchatError, frame: ClientFrame | None) -> None:
        about: dict[str, object] = {}
        if frame is not None:
            about = frame.model_dump(include={"turn_id", "conversation_id", "client_message_id"})
        with suppress(ClientLeft):
            await self._send_text(problem_text(problem_from(error), **about))

    async def revoke(self, why: Unauthenticated) -> None:
        """Close the socket of a caller without a valid token; running turns continue."""
        self.is_revoked = True
        await self._subscriptions.close(timeout_s=0)
        await self._close(UNAUTHENTICATED, str(why))

    async def _shut_down(self) -> None:
        await self._subscriptions.close(timeout_s=SHUTDOWN_TIMEOUT_S)
        await self._close(SERVICE_RESTART)

    async def _close(self, code: int, reason: str = "") -> None:
        with suppress(OSError, TimeoutError):  # whoever does not read is not waited for
            async with asyncio.timeout(SHUTDOWN_TIMEOUT_S):
                await self._send({"type": "websocket.close", "code": code, "reason": reason[:MAX_REASON_CHARACTERS]})


def _check_same(name: str, given: StoredId | None, known: StoredId | None, conversation: Conversation) -> None:
    if given is not None and given != known:
        raise ConversationMismatch(
            f"{name} is {given}, but conversation {conversation.id} has another, or none", param=name
        )


def _uuid(stored: StoredId | None) -> UUID | None:
    """Return None for an imported id that is no UUID: no request can name it, and none needs to."""
    return stored if isinstance(stored, UUID) else None
