"""Answering a request with a turn: as a stream of events, or as a completion when it has ended."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Receive, Scope, Send

from idolchat_api.app_state import AppState
from idolchat_api.asgi.client_connection import ClientConnection
from idolchat_api.asgi.responses import send_json, send_problem
from idolchat_api.errors import problem_from_turn
from idolchat_api.streaming.forms import NATIVE, TurnForm
from idolchat_api.streaming.sse import stream_turn
from idolchat_core.events.events import TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import id_text

__all__ = ["respond"]

_WITHOUT_REPLY = frozenset({TurnState.FAILED, TurnState.INCOMPLETE, TurnState.INTERRUPTED})


async def respond(
    app: AppState,
    turn: LiveTurn,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    streams: bool,
    form: TurnForm = NATIVE,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Answer with a turn. Raises ``ClientLeft``; the turn's ``on_disconnect`` says what happens to it then."""
    scope["state"]["facts"] = {
        "conversation_id": id_text(turn.conversation_id),
        "turn_id": id_text(turn.turn_id),
    }
    if streams:
        heartbeat_s = app.settings.heartbeat_s
        await stream_turn(turn, scope, receive, send, heartbeat_s=heartbeat_s, headers=headers, form=form)
    else:
        await _respond_whole(turn, scope, receive, send, form=form, headers=headers)


async def _respond_whole(
    turn: LiveTurn,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    form: TurnForm,
    headers: Sequence[tuple[bytes, bytes]],
) -> None:
    async with ClientConnection(scope, receive, send):
        ended = await turn.ended()
    if ended.state in _WITHOUT_REPLY:
        ids = {
            "conversation_id": turn.conversation_id,
            "turn_id": turn.turn_id,
            "user_message_id": turn.user_message_id,
            "state": ended.state,
        }
        await send_problem(send, form.problem(problem_from_turn(ended, **ids)), scope["state"]["request_id"])
    else:
        await send_json(send, form.whole(turn, ended), headers=headers)
