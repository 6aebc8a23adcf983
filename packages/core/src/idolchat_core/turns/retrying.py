"""Turns that did not complete, and what is to be done to answer their messages once more."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from idolchat_core.errors import TurnNotRetryable
from idolchat_core.events.events import TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import StoredId
from idolchat_core.turns.lookup import RETRYABLE, StoredTurn, state_of
from idolchat_core.turns.plan import Plan, retry_id
from idolchat_core.turns.request import TurnOptions

__all__ = ["Retryable"]


class Retryable(NamedTuple):
    """A turn that did not complete: the turn of its newest reply, and the message that it answers.

    ``continues`` is the reply that it went on with, ``fingerprint`` that of the request that its key was used for.
    """

    conversation_id: UUID
    newest_turn_id: UUID
    answer_to: StoredId
    continues: StoredId | None
    fingerprint: str | None

    @classmethod
    def of_live(cls, live: LiveTurn) -> Retryable:
        """Describe a turn whose events are kept. Raises ``TurnNotRetryable``."""
        answer_to = _answered(live.turn_id, live.state, live.user_message_id)
        return cls(live.conversation_id, live.turn_id, answer_to, live.reply_fields.get("continues"), live.fingerprint)

    @classmethod
    def of_stored(cls, stored: StoredTurn) -> Retryable:
        """Describe a turn by its messages. Raises ``TurnNotRetryable``."""
        reply = stored.newest_reply
        answer_to = _answered(stored.newest_turn_id, state_of(reply), stored.user_message.id)
        continues = reply.continues if reply else None
        return cls(stored.conversation_id, stored.newest_turn_id, answer_to, continues, stored.request_hash)

    @property
    def retry_id(self) -> UUID:
        """The id of the turn that retries it."""
        return retry_id(self.newest_turn_id)

    def as_before(self, plan: Plan) -> Plan:
        """Plan to do once more what was planned before."""
        return plan.again(self.answer_to, turn_id=self.retry_id, continues=self.continues)

    def anew(self, options: TurnOptions) -> Plan:
        """Plan to answer the message with other options."""
        if self.continues is not None:
            plan = Plan.continuing(self.conversation_id, self.continues, options, turn_id=self.retry_id)
        else:
            plan = Plan.anew(self.conversation_id, self.answer_to, options, turn_id=self.retry_id)
        return plan._replace(fingerprint=self.fingerprint)


def _answered(turn_id: UUID, state: TurnState, user_message_id: StoredId | None) -> StoredId:
    if state not in RETRYABLE | {TurnState.CANCELLED} or user_message_id is None:
        raise TurnNotRetryable(f"turn {turn_id} is {state}; only one that did not complete can be retried")
    return user_message_id
