"""What the turn engine tells those who measure it: figures, and nothing of what was said."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from idolchat_core.events.events import TurnState
from idolchat_core.models import Usage

__all__ = ["TurnObserver", "TurnReport"]


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


class TurnObserver:
    """Is told in the middle of things: it must be quick, and must not raise."""

    def turn_ended(self, report: TurnReport) -> None:
        """Record that a turn is over."""

    def stored(self, seconds: float) -> None:
        """Record how long a turn waited for the storage, to keep its message or its reply."""
