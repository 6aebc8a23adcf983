"""What observers of turns are told: figures, and nothing of what was said."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter, time
from uuid import UUID

from idolchat_core.events.events import TurnEnded, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import Usage
from idolchat_core.request_context import CALLER

__all__ = ["TurnObserver", "TurnReport", "report_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnReport:
    """A turn that is over. ``ended_at`` is in seconds since 1970; the others count from when the provider was asked.

    ``first_delta_s`` is None where nothing was said; ``error_code`` is that of ``errors``, None for a good end.
    """

    turn_id: UUID
    conversation_id: UUID
    state: TurnState
    ended_at: float
    duration_s: float
    first_delta_s: float | None
    asked_model: str | None
    model: str | None
    completion_id: str | None
    finish_reason: str | None
    usage: Usage | None
    error_code: str | None
    traceparent: str | None


def report_of(
    live: LiveTurn, ended: TurnEnded, *, completion_id: str | None, began_at: float, spoke_at: float | None
) -> TurnReport:
    """Report a turn that ends now; ``began_at`` and ``spoke_at`` are of ``perf_counter``."""
    message = ended.message
    return TurnReport(
        turn_id=live.turn_id,
        conversation_id=live.conversation_id,
        state=ended.state,
        ended_at=time(),
        duration_s=perf_counter() - began_at,
        first_delta_s=spoke_at - began_at if spoke_at is not None else None,
        asked_model=live.model,
        model=message.model if message else None,
        completion_id=completion_id,
        finish_reason=message.finish_reason if message else None,
        usage=ended.usage,
        error_code=ended.error["code"] if ended.error else None,
        traceparent=CALLER.get().traceparent,
    )


class TurnObserver:
    """Is told in the middle of things: it must be quick, and must not raise."""

    def turn_ended(self, report: TurnReport) -> None:
        """Record that a turn is over."""

    def stored(self, seconds: float) -> None:
        """Record how long a turn waited for the storage, to keep its message or its reply."""
