"""A turn of another process, filled with what that tells of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from idolchat_core.events.events import Event, TurnEnded, TurnStarted, TurnState
from idolchat_core.events.live_turn import LiveTurn, wake
from idolchat_core.events.reply_accumulator import ReplyAccumulator
from idolchat_core.llm.contract import Delta
from idolchat_core.models import StoredId

__all__ = ["TurnCopy"]


class TurnCopy(LiveTurn):
    """A copy of a turn. Its reply is added up when somebody asks for it, which those who read its events do not."""

    __slots__ = ("_added",)

    def __init__(
        self,
        started: TurnStarted,
        *,
        user_id: StoredId | None,
        fingerprint: str | None,
        continued_text: str,
        on_last_reader_gone: Callable[[], None],
    ) -> None:
        """``started`` is its first event, which is not in the copy yet."""
        super().__init__(
            turn_id=started.turn_id,
            conversation_id=started.conversation_id,
            user_id=user_id,
            user_message_id=started.user_message_id,
            message_id=started.message_id,
            model=started.model,
            created_at=started.created_at,
            fingerprint=fingerprint,
            on_last_reader_gone=on_last_reader_gone,
        )
        self.continued_text = continued_text
        self._added = 0

    @property
    def reply(self) -> ReplyAccumulator:
        while events := self._log.since(self._added):
            self._reply.add([event for event in events if isinstance(event, Delta)])
            self._added += len(events)
        return self._reply

    def copy(self, events: Sequence[Event], *, state: TurnState | None = None) -> None:
        """Add events as another process has told them to its readers, which stand in ``state`` then."""
        last = events[-1] if events else None
        told = events[:-1] if isinstance(last, TurnEnded) else events
        if told:
            self._log.append(told)
        self.state = state or self.state
        wake(self._at_start)
        if isinstance(last, TurnEnded):
            self.end(last)
