"""One call of a provider that costs something, from the wish to make it to what it took."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from idolchat_core.models import Usage, utc_now
from idolchat_core.spending.budgets import Spender
from idolchat_core.spending.ledger_lines import CallFacts, Outcome, log_of, opened, settled, void

if TYPE_CHECKING:
    from idolchat_core.spending.ledger import Ledger

__all__ = ["MeteredCall"]


class MeteredCall:
    """Made by ``Ledger.admit``: counted as in flight until it is settled or withdrawn, whichever comes first.

    One of the background does not ``takes_place``: it is counted only when it is settled.
    """

    __slots__ = (
        "_carried",
        "_is_over",
        "_ledger",
        "_opening",
        "_writing",
        "completion_id",
        "facts",
        "key_id",
        "purpose",
        "takes_place",
        "who",
    )

    def __init__(
        self, ledger: Ledger, who: Spender, *, purpose: str, key_id: str | None, takes_place: bool = True
    ) -> None:
        self.who = who
        self.takes_place = takes_place
        self.purpose = purpose
        self.key_id = key_id
        self.facts: CallFacts | None = None
        self.completion_id: str | None = None
        self._ledger = ledger
        self._carried = b""
        self._opening = b""
        self._writing: Awaitable[None] | None = None
        self._is_over = False

    @property
    def is_open(self) -> bool:
        """Whether it stands in the ledger, not settled yet."""
        return self.facts is not None and not self._is_over

    def prepare(
        self,
        *,
        call_id: UUID | str,
        turn_id: UUID | None = None,
        conversation_id: UUID | None = None,
        user_id: UUID | str | None = None,
        model: str | None = None,
    ) -> None:
        """Set the facts of the call; ``write`` or ``take_lines`` then records that it is about to be made."""
        at = datetime.fromtimestamp(self._ledger.budgets.now(), UTC)
        self.facts = CallFacts(
            call_id=call_id,
            at=at,
            log=log_of(at),
            purpose=self.purpose,
            turn_id=turn_id,
            conversation_id=conversation_id,
            user_id=user_id,
            key_id=self.key_id,
            model=model,
        )
        self._opening = opened(self.facts)

    def open(self, **facts: Any) -> None:
        """Set the facts as ``prepare`` does, and begin to record that the call is about to be made; see ``written``."""
        self.prepare(**facts)
        self.write()

    def take_lines(self) -> bytes:
        """Return and forget the unwritten lines of the log ``facts.log``, for one commit with something else."""
        if self.facts is None:
            return b""
        self._carried = self._ledger.take_unwritten(self.facts.log)
        lines, self._opening = self._carried + self._opening, b""
        return lines

    def give_back(self) -> None:
        """Return the lines of ``take_lines``, which were certainly not written: they are taken or written later."""
        if self.facts is not None:
            self._ledger.note(self.facts.log, self._carried)
            if not self._is_over:
                self._opening = opened(self.facts)

    def write(self) -> None:
        """Begin to record that the call is about to be made, unless that has begun; ``written`` waits for it."""
        if self._opening and self.facts is not None:
            self._writing = self._ledger.append(self.facts.log, self.take_lines())

    async def written(self) -> None:
        """Return when it stands in the ledger, whatever happens to the machine. Raises ``StorageUnavailable``."""
        writing, self._writing = self._writing, None
        if writing is None:
            return
        try:
            await writing
        except BaseException:
            if self.facts is not None:
                self._ledger.note(self.facts.log, self._carried)
            raise

    def named(self, completion_id: str) -> None:
        """Record what the provider calls it."""
        if self.completion_id is None and self.is_open and self.facts is not None:
            self.completion_id = completion_id
            self._ledger.note_name(self.facts, completion_id)

    def settle(self, outcome: Outcome, usage: Usage, *, model: str | None = None) -> None:
        """Record how it ended, and what it took as far as that is known."""
        if not self.is_open or self.facts is None:
            return
        self._is_over = True
        usage = self._ledger.priced(usage, model or self.facts.model)
        line = settled(
            self.facts,
            ended_at=utc_now(),
            outcome=outcome,
            usage=usage,
            model=model,
            completion_id=self.completion_id,
        )
        self._ledger.settle(self, line, usage)

    def withdraw(self) -> None:
        """Void it: it was not made. One that is settled stays so."""
        if self._is_over:
            return
        self._is_over = True
        self._ledger.leave(self)
        if self.facts is not None and not self._opening:
            self._ledger.note(self.facts.log, void(self.facts.call_id))
