"""Completions that no turn asks for, such as a summary: metered like a turn's, and behind them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from idolchat_core.errors import ProviderError, ProviderTimeout, ReplyCut, ShuttingDown
from idolchat_core.llm.contract import CompletionRequest, Delta, Finished, LLMProvider
from idolchat_core.llm.token_estimator import message_size, text_size
from idolchat_core.models import Usage, new_id
from idolchat_core.spending.ledger import Ledger
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.spending.plausibility import plausible_usage

__all__ = ["BackgroundCompletions"]

log = logging.getLogger(__name__)


class BackgroundCompletions:
    """Asks the provider, one call at a time, on the account of the user that a request names.

    What is asked for before the ledger is open waits for it. A call takes none of the places that
    ``IDOLCHAT_MAX_TURNS`` and its like count, so that it keeps no user from their turn; budgets and the stop switch
    hold for it as for turns.
    """

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self._one = asyncio.Semaphore(1)
        self._running: asyncio.Task[str] | None = None
        self._ledger: Ledger | None = None
        self._llm: LLMProvider | None = None

    def open(self, ledger: Ledger, llm: LLMProvider) -> None:
        """Start admitting calls, which waited until now."""
        self._ledger, self._llm = ledger, llm
        self._opened.set()

    async def close(self) -> None:
        """Stop the call that is being made, and let no further one be made."""
        self._opened.clear()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    async def complete(self, request: CompletionRequest, *, purpose: str, daily_tokens: int | None = None) -> str:
        """Return the text of a reply. ``purpose`` names it in the ledger.

        ``daily_tokens`` is what all calls of this purpose may use in a UTC day; a call begins while less is used.
        Raises ``SpendingStopped`` and ``BudgetExceeded``, a ``ProviderError`` (``ReplyCut`` for a reply that is
        longer than it may be), ``StorageUnavailable``, and ``ShuttingDown`` where the server stops meanwhile.
        """
        async with self._one:
            await self._opened.wait()
            if self._ledger is None or self._llm is None:
                raise AssertionError("it is opened with both")
            call = self._ledger.admit_background(user_id=request.user_id, purpose=purpose, daily_tokens=daily_tokens)
            self._running = asyncio.create_task(self._made(call, replace(request, stream=False), self._llm))
            try:
                return await self._running
            except asyncio.CancelledError:
                caller = asyncio.current_task()
                if self._opened.is_set() or caller is None or caller.cancelling():
                    raise
                raise ShuttingDown("the server is stopping; ask again after its start") from None
            finally:
                call.withdraw()
                self._running = None

    async def _made(self, call: MeteredCall, request: CompletionRequest, llm: LLMProvider) -> str:
        model = request.model or llm.default_model
        call.open(call_id=new_id(), conversation_id=request.conversation_id, user_id=request.user_id, model=model)
        await call.written()
        said: list[str] = []

        def hear(deltas: Sequence[Delta]) -> None:
            for delta in deltas:
                said.append(delta.content)
                if delta.completion_id is not None:
                    call.named(delta.completion_id)

        outcome, usage, answered = "failed", _estimated(request, said), model
        try:
            finished = await llm.answer(request, hear)
            outcome, answered = "completed", finished.model or model
            usage = plausible_usage(finished.usage, model=answered) or _estimated(request, said)
            if finished.completion_id is not None:
                call.named(finished.completion_id)
        except ProviderError as error:
            # It refused, or failed before it said anything, which costs nothing; else nobody knows what it took.
            is_cut = said or isinstance(error, ProviderTimeout | ReplyCut)
            usage = _estimated(request, said) if is_cut else Usage()
            raise
        except asyncio.CancelledError:
            outcome, usage = "cancelled", _estimated(request, said)
            raise
        finally:
            call.settle(outcome, usage, model=answered)
        return _whole("".join(said), finished)


def _estimated(request: CompletionRequest, said: Sequence[str]) -> Usage:
    asked = sum(message_size(message) for message in request.messages)
    return Usage(input_tokens=round(asked), output_tokens=round(text_size("".join(said))), is_estimate=True)


def _whole(text: str, finished: Finished) -> str:
    if finished.finish_reason != "stop":
        raise ReplyCut(f"the model ended the reply by {finished.finish_reason!r} before it was whole")
    return text.strip()
