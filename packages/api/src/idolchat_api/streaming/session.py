"""One WebSocket, from its first frame to its last."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import UUID

from starlette.types import Message, Send

from idolchat_api.dependencies import Running
from idolchat_api.errors import BodyTooLarge, TurnOver, UnsupportedMediaType, problem_from
from idolchat_api.streaming.connection import ClientLeft
from idolchat_api.streaming.followers import Followers
from idolchat_api.streaming.frames import ClientFrame, frame_text, problem_text, read_frame, turn_request
from idolchat_core.errors import ConversationMismatch, ConversationNotFound, IdolchatError, InvalidRequest
from idolchat_core.events import TurnState
from idolchat_core.models import Conversation, StoredId, new_id

__all__ = ["Session"]

logger = logging.getLogger(__name__)

FAREWELL_S = 2.0
SERVICE_RESTART = 1012  # the code for a server that stops (IANA's registry of WebSocket close codes)


@dataclass(frozen=True, slots=True)
class Current:
    """The conversation that a message goes to which names none."""

    conversation_id: UUID
    user_id: StoredId | None = None
    character_id: StoredId | None = None


class Session:
    """Does what a socket says in the order it says it, while turns are followed side by side."""

    def __init__(self, app: Running, send: Send) -> None:
        self._app = app
        self._send = send
        self._turns = app.service.turns
        self._current: Current | None = None
        self._followers = Followers(self._tell)

    async def __aenter__(self) -> Self:
        self._app.farewells.add(self._farewell)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._app.farewells.discard(self._farewell)
        await self._followers.finish(timeout_s=0)

    async def take(self, message: Message) -> None:
        """Do what a frame says, or say what is wrong with it."""
        frame: ClientFrame | None = None
        try:
            frame = read_frame(self._text_of(message))
            await self._do(frame)
        except IdolchatError as error:
            await self._refuse(error, frame)
        except ClientLeft:
            return  # what is received next says so
        except Exception:  # a fault of ours, which is no reason to close the socket on the other turns
            logger.exception("websocket frame failed")
            await self._refuse(IdolchatError("the server failed on this frame; its log says more"), frame)

    def _text_of(self, message: Message) -> str:
        text: str | None = message.get("text")
        limit = self._app.settings.max_ws_message_bytes
        if text is None:
            raise UnsupportedMediaType("frames must be text, not binary: a JSON object each")
        if len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit):
            raise BodyTooLarge(f"a frame has at most {limit} bytes (IDOLCHAT_API_MAX_WS_MESSAGE_BYTES)")
        return text

    async def _do(self, frame: ClientFrame) -> None:
        match frame.type:
            case "start_conversation":
                await self._start_conversation(frame)
            case "message":
                await self._begin_turn(frame)
            case "resume":
                await self._resume(frame)
            case "cancel":
                self._cancel(frame)
            case _:
                await self._tell(frame_text("pong", {}))

    async def _start_conversation(self, frame: ClientFrame) -> None:
        if frame.conversation_id is None:
            current = Current(new_id(), frame.user_id, frame.character_id)
        else:
            current = await self._continued(frame.conversation_id, frame)
        self._current = current
        ids = {
            "conversation_id": current.conversation_id,
            "character_id": current.character_id,
            "user_id": current.user_id,
        }
        await self._tell(frame_text("conversation_started", ids))

    async def _continued(self, conversation_id: UUID, frame: ClientFrame) -> Current:
        try:
            page = await self._app.service.storage.read_page(conversation_id, limit=1)
        except ConversationNotFound:
            return Current(conversation_id, frame.user_id, frame.character_id)
        known = page.conversation
        _check_same("user_id", frame.user_id, known.user_id, known)
        _check_same("character_id", frame.character_id, known.character_id, known)
        return Current(conversation_id, known.user_id, known.character_id)

    async def _begin_turn(self, frame: ClientFrame) -> None:
        self._followers.check_room()
        turn = await self._turns.start(turn_request(self._placed(frame)), idempotency_key=frame.client_message_id)
        if frame.conversation_id is None and self._current is None:
            self._current = Current(turn.conversation_id, frame.user_id, frame.character_id)
        self._followers.follow(turn, after=-1, client_message_id=frame.client_message_id)

    def _placed(self, frame: ClientFrame) -> ClientFrame:
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
        self._followers.check_room()
        turn = await self._turns.find(frame.turn_id)
        after, last_seq = frame.after_seq, turn.status.last_seq or 0
        if turn.is_over:
            after = min(after, last_seq - 1)  # whoever asks is told the end, so that nobody waits for it in vain
        elif after > last_seq:
            raise InvalidRequest(f"after_seq: the turn has got to {last_seq} so far", param="after_seq")
        self._followers.follow(turn, after=after)

    def _cancel(self, frame: ClientFrame) -> None:
        turn_id = frame.turn_id or self._followers.newest
        if turn_id is None:
            raise InvalidRequest("turn_id: says which turn to cancel, for none is followed here", param="turn_id")
        self._followers.spawn(self._cancelled(turn_id, frame, is_followed=turn_id in self._followers))

    async def _cancelled(self, turn_id: UUID, frame: ClientFrame, *, is_followed: bool) -> None:
        try:
            status = await self._turns.cancel(turn_id)
            if is_followed:
                return  # its terminal event is told
            if status.state is not TurnState.CANCELLED:
                raise TurnOver(f"turn {turn_id} is {status.state} already")
            await self._tell(frame_text("cancelled", {"conversation_id": status.conversation_id, "turn_id": turn_id}))
        except IdolchatError as error:
            await self._refuse(error, frame)

    async def _tell(self, text: str) -> None:
        try:
            await self._send({"type": "websocket.send", "text": text})
        except OSError as error:
            raise ClientLeft from error

    async def _refuse(self, error: IdolchatError, frame: ClientFrame | None) -> None:
        about: dict[str, object] = {}
        if frame is not None:
            about = frame.model_dump(include={"turn_id", "conversation_id", "client_message_id"})
        with suppress(ClientLeft):
            await self._tell(problem_text(problem_from(error), **about))

    async def _farewell(self) -> None:
        await self._followers.finish(timeout_s=FAREWELL_S)
        with suppress(OSError):
            await self._send({"type": "websocket.close", "code": SERVICE_RESTART})


def _check_same(name: str, given: UUID | None, known: StoredId | None, conversation: Conversation) -> None:
    if given is not None and given != known:
        raise ConversationMismatch(f"{name} is {given}, but conversation {conversation.id} has another, or none")


def _uuid(stored: StoredId | None) -> UUID | None:
    """Leave out an id of another service that is no UUID: no request can name it, and none needs to."""
    return stored if isinstance(stored, UUID) else None
