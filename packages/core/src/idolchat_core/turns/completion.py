"""Get one reply: the prompt built, the provider asked, the deltas told, the outcome stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter, time
from typing import Any

from idolchat_core.errors import (
    ContextTooLong,
    IdolchatError,
    ProviderError,
    ProviderTimeout,
    ReplyCut,
)
from idolchat_core.events.events import TurnEnded, TurnState
from idolchat_core.events.json_values import plain_json
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import CompletionRequest, Delta, Finished
from idolchat_core.llm.token_estimator import text_size
from idolchat_core.models import Message, Usage, utc_now
from idolchat_core.prompt.builder import Prompt
from idolchat_core.prompt.history import Entry, History
from idolchat_core.request_context import CALLER
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.spending.plausibility import plausible_usage
from idolchat_core.turns.admission import load
from idolchat_core.turns.context_window import REPLY_SHARE, window_tokens_of
from idolchat_core.turns.finish import well_formed
from idolchat_core.turns.observers import TurnReport
from idolchat_core.turns.plan import Plan
from idolchat_core.turns.prompting import Prompting
from idolchat_core.turns.resources import EngineResources

__all__ = ["Completion", "described"]

MOST_REPLY_SHARE = 0.75


class Completion:
    """The reply of one turn."""

    def __init__(self, resources: EngineResources, plan: Plan, live: LiveTurn, call: MeteredCall | None = None) -> None:
        self._call = call
        self._resources = resources
        self._plan = plan
        self._live = live
        self.prompting = Prompting(resources, plan, turn_id=live.turn_id, model=live.model)
        self._window_tokens = 0
        self._prompt_tokens = 0
        self._was_asked = False
        self._began_at = perf_counter()
        self._spoke_at: float | None = None

    async def ask(self, history: History) -> Finished:
        """Ask the provider; once more, with a shorter prompt, when it says that the first was too long.

        Raises a ``ProviderError``, and ``SpendingStopped``.
        """
        try:
            return await self._ask(history, await self._budget_tokens())
        except ContextTooLong:
            if not self._live.reply.is_empty or len(self._branch(history)) < 2:
                raise
            self._resources.estimator.was_too_low(self._live.model)
        return await self._ask(history, self._prompt_tokens / 2)

    async def _ask(self, history: History, budget_tokens: float) -> Finished:
        resources, plan, live = self._resources, self._plan, self._live
        prompt = await self._prompt(history, budget_tokens)
        self._prompt_tokens = round(resources.estimator.tokens(prompt.size, live.model))
        request = CompletionRequest(
            messages=prompt.messages,
            model=live.model,
            options=plan.options,
            stream=plan.stream,
            conversation_id=history.id,
            user_id=history.user_id,
            traceparent=CALLER.get().traceparent,
            stable_until=prompt.stable_until,
        )
        resources.ledger.check_stopped()  # again, for the turn may have waited
        self._was_asked = True
        self._began_at = perf_counter()
        finished = well_formed(await resources.llm.answer(request, self._on_deltas))
        if finished.completion_id is not None:
            self._named(finished.completion_id)
        usage = plausible_usage(finished.usage, model=finished.model or live.model)
        if usage is not None:
            resources.estimator.learn(prompt.size, live.model, input_tokens=usage.input_tokens)
        elif finished.usage is not None:
            usage = self._estimate()
        return finished if usage is finished.usage else replace(finished, usage=usage)

    def _on_deltas(self, deltas: Sequence[Delta]) -> None:
        if self._spoke_at is None:
            self._spoke_at = perf_counter()
        for delta in self._live.say(*deltas):
            if delta.completion_id is not None:
                self._named(delta.completion_id)

    async def _prompt(self, history: History, budget_tokens: float) -> Prompt:
        resources = self._resources
        if history.cut is None:
            per_size = resources.estimator.tokens(1.0, self._live.model)
            await resources.histories.load_until(history, size=budget_tokens / per_size)
        prompt = await self.prompting.build(
            history,
            self._branch(history),
            budget_tokens=budget_tokens,
            window_tokens=self._window_tokens,
            begun=self._live.continued_text,
        )
        history.cut = prompt.cut if prompt.cut != history.first_id else None
        history.forget_before_cut()
        return prompt

    def _branch(self, history: History) -> Sequence[Entry]:
        position = history.position_of(self._live.user_message_id)
        return history.path if position is None else history.path[: position + 1]

    async def _budget_tokens(self) -> float:
        """Return how long the prompt may be: the context window less the reply's share."""
        resources = self._resources
        window = await window_tokens_of(self._live.model, catalog=resources.catalog, settings=resources.settings)
        self._window_tokens = window
        wanted = self._plan.options.get("max_completion_tokens") or self._plan.options.get("max_tokens")
        if not isinstance(wanted, int):
            return window * (1 - REPLY_SHARE)
        return window - min(wanted, window * MOST_REPLY_SHARE)

    def outcome(self, finished: Finished | None, error: Exception | None, stopped_as: TurnState | None) -> TurnEnded:
        """Return how the turn ended, with the message to store."""
        reply = self._live.reply
        if finished is not None:
            state, reason = TurnState.COMPLETED, finished.finish_reason
        elif stopped_as is TurnState.CANCELLED:
            state, reason = TurnState.CANCELLED, "cancelled"
        elif reply.is_empty:
            state, reason = TurnState.FAILED, "error"
        else:
            state, reason = TurnState.INCOMPLETE, "incomplete"
        told = None
        if state in (TurnState.FAILED, TurnState.INCOMPLETE):
            told = described(error) if error else dict(_STOPPED)
        usage = finished.usage if finished else self._estimated_usage()
        message = self._message(reason, usage=usage, model=finished.model if finished else None, error=told)
        return TurnEnded(state=state, message=message, usage=usage, error=told)

    def _estimated_usage(self) -> Usage | None:
        """Count a reply that was cut: the provider charges for it, and did not say how much."""
        if not self._prompt_tokens or self._live.reply.is_empty:
            return None
        return self._estimate()

    def _estimate(self) -> Usage:
        said = self._resources.estimator.tokens(text_size(self._live.reply.content), self._live.model)
        return Usage(input_tokens=self._prompt_tokens, output_tokens=round(said), is_estimate=True)

    def settle(self, ended: TurnEnded, error: Exception | None) -> None:
        """Write down what the reply took; nothing where the provider was not asked."""
        if self._call is None or not self._was_asked:
            return
        usage = ended.usage
        if usage is None and isinstance(error, ProviderError) and not isinstance(error, ProviderTimeout | ReplyCut):
            usage = Usage()  # it refused, or failed before it said anything: OpenRouter charges nothing for that
        model = ended.message.model if ended.message else None
        self._call.settle(ended.state, usage or self._estimate(), model=model)

    def report(self, ended: TurnEnded) -> TurnReport:
        """Tell those who measure how it went."""
        live, message = self._live, ended.message
        return TurnReport(
            turn_id=live.turn_id,
            conversation_id=live.conversation_id,
            state=ended.state,
            ended_at=time(),
            duration_s=perf_counter() - self._began_at,
            first_delta_s=self._spoke_at - self._began_at if self._spoke_at is not None else None,
            asked_model=live.model,
            model=message.model if message else None,
            completion_id=self._call.completion_id if self._call else None,
            finish_reason=message.finish_reason if message else None,
            usage=ended.usage,
            error_code=ended.error["code"] if ended.error else None,
            traceparent=CALLER.get().traceparent,
        )

    def _named(self, completion_id: str) -> None:
        if self._call is not None:
            self._call.named(completion_id)

    def _message(
        self, finish_reason: str, *, usage: Usage | None, model: str | None, error: dict[str, Any] | None
    ) -> Message:
        live, reply = self._live, self._live.reply
        content = live.content
        fields = reply.fields
        given: dict[str, Any] = {
            "id": live.message_id,
            "role": "assistant",
            "content": content if content or "tool_calls" not in fields else None,
            "timestamp": utc_now(),
            "model": model or reply.model or live.model,
            "finish_reason": finish_reason,
            "usage": usage,
            "turn_id": live.turn_id,
            "error": error,
            **live.reply_fields,
        }
        known = {name: value for name, value in given.items() if value is not None or name == "content"}
        return Message(**known, **{name: value for name, value in fields.items() if name not in given})

    async def store(self, ended: TurnEnded) -> TurnEnded:
        """Put the reply after the message that it answers; return the event as it is now. Raises ``StorageError``."""
        if ended.message is None:
            return ended
        history = await load(self._resources, self._plan)
        end = partial(self._resources.turns.end, self._plan.conversation_id, self._live.turn_id, call=self._call)
        stored = await self._resources.writer.write_reply(
            self._plan.conversation_id, ended.message, end, answers=self._live.user_message_id, history=history
        )
        return ended if stored is ended.message else replace(ended, message=stored)


_STOPPED = {"code": "shutting_down", "message": "the server stopped before the reply was finished; retry the turn"}


def described(error: Exception) -> dict[str, Any]:
    """Describe an error as a terminal event and a stored reply carry it: code, text, and when to come back."""
    if not isinstance(error, IdolchatError):
        return {"code": IdolchatError.code, "message": "the server failed in a way it should not; its log says more"}
    more = {name: getattr(error, name, None) for name in ("retry_after_s", "status", "param")}
    told: dict[str, Any] = plain_json({"code": error.code, "message": str(error), **more})
    return {name: value for name, value in told.items() if value is not None}
