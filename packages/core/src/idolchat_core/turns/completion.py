"""Get one reply: the prompt built, the provider asked, the deltas told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

from idolchat_core.errors import (
    ContextTooLong,
)
from idolchat_core.events.events import TurnEnded
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import CompletionRequest, Delta, Finished
from idolchat_core.llm.token_estimator import text_size
from idolchat_core.models import Usage
from idolchat_core.prompt.builder import Prompt
from idolchat_core.prompt.entry import Entry
from idolchat_core.prompt.history import History
from idolchat_core.request_context import CALLER
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.spending.plausibility import plausible_usage
from idolchat_core.turns.context_window import prompt_budget, window_tokens_of
from idolchat_core.turns.finish import well_formed
from idolchat_core.turns.observers import TurnReport, report_of
from idolchat_core.turns.plan import Plan
from idolchat_core.turns.prompting import Prompting
from idolchat_core.turns.resources import EngineResources
from idolchat_core.turns.settlement import settle_call

__all__ = ["Completion"]


class Completion:
    """The reply of one turn."""

    def __init__(self, resources: EngineResources, plan: Plan, live: LiveTurn, call: MeteredCall) -> None:
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
            self._call.named(finished.completion_id)
        usage = plausible_usage(finished.usage, model=finished.model or live.model)
        if usage is not None:
            resources.estimator.learn(prompt.size, live.model, input_tokens=usage.input_tokens)
        elif finished.usage is not None:
            usage = self._estimate()
        return finished if usage is finished.usage else replace(finished, usage=usage)

    def _on_deltas(self, deltas: Sequence[Delta]) -> None:
        if self._spoke_at is None:
            self._spoke_at = perf_counter()
        self._live.say(*deltas)
        if self._call.completion_id is None and (named := self._live.reply.completion_id) is not None:
            self._call.named(named)

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
        history.cut = prompt.cut if prompt.is_cut else None
        history.forget_before_cut()
        return prompt

    def _branch(self, history: History) -> Sequence[Entry]:
        position = history.position_of(self._live.user_message_id)
        return history.path if position is None else history.path[: position + 1]

    async def _budget_tokens(self) -> float:
        resources = self._resources
        window = await window_tokens_of(self._live.model, catalog=resources.catalog, settings=resources.settings)
        self._window_tokens = window
        return prompt_budget(window, self._plan.options)

    def usage(self, finished: Finished | None) -> Usage | None:
        """Return what the reply took; None where nothing is known of it."""
        return finished.usage if finished is not None else self._estimated_usage()

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
        if self._was_asked:
            settle_call(self._call, ended, error, estimate=self._estimate)

    def report(self, ended: TurnEnded) -> TurnReport:
        """Return what observers are told about the turn."""
        return report_of(
            self._live,
            ended,
            completion_id=self._call.completion_id,
            began_at=self._began_at,
            spoke_at=self._spoke_at,
        )
