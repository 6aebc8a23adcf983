"""How a turn ended: its last event, and the message to store."""

from __future__ import annotations

from typing import Any

from idolchat_core.errors import IdolchatError
from idolchat_core.events.events import TurnEnded, TurnState
from idolchat_core.events.json_values import plain_json
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Finished
from idolchat_core.models import Message, Usage, utc_now

__all__ = ["described", "outcome_of"]

_STOPPED = {"code": "shutting_down", "message": "the server stopped before the reply was finished; retry the turn"}


def outcome_of(
    live: LiveTurn,
    finished: Finished | None,
    error: Exception | None,
    stopped_as: TurnState | None,
    *,
    usage: Usage | None = None,
) -> TurnEnded:
    """Return how the turn ended, with the message to store; ``usage`` is what the reply took, as far as is known."""
    if finished is not None:
        state, reason = TurnState.COMPLETED, finished.finish_reason
    elif stopped_as is TurnState.CANCELLED:
        state, reason = TurnState.CANCELLED, "cancelled"
    elif live.reply.is_empty:
        state, reason = TurnState.FAILED, "error"
    else:
        state, reason = TurnState.INCOMPLETE, "incomplete"
    told = None
    if state in (TurnState.FAILED, TurnState.INCOMPLETE):
        told = described(error) if error else dict(_STOPPED)
    message = _message(live, reason, usage=usage, model=finished.model if finished else None, error=told)
    return TurnEnded(state=state, message=message, usage=usage, error=told)


def _message(
    live: LiveTurn, finish_reason: str, *, usage: Usage | None, model: str | None, error: dict[str, Any] | None
) -> Message:
    content, fields = live.content, live.reply.fields
    given: dict[str, Any] = {
        "id": live.message_id,
        "role": "assistant",
        "content": content if content or "tool_calls" not in fields else None,
        "timestamp": utc_now(),
        "finish_reason": finish_reason,
        "turn_id": live.turn_id,
    }
    known = (("model", model or live.reply.model or live.model), ("usage", usage), ("error", error))
    given |= {name: value for name, value in (*known, *live.reply_fields.items()) if value is not None}
    return Message(**given, **{name: value for name, value in fields.items() if name not in given})


def described(error: Exception) -> dict[str, Any]:
    """Describe an error as a terminal event and a stored reply carry it: code, text, and when to come back."""
    if not isinstance(error, IdolchatError):
        return {"code": IdolchatError.code, "message": "the server failed in a way it should not; its log says more"}
    more = {name: getattr(error, name, None) for name in ("retry_after_s", "status", "param")}
    told: dict[str, Any] = plain_json({"code": error.code, "message": str(error), **more})
    return {name: value for name, value in told.items() if value is not None}
