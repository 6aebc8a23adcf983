"""The prompt of a turn: what sources say, collected within their time, and the history that there is room for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import filterfalse
from operator import attrgetter
from typing import Any
from uuid import UUID

from idolchat_core.llm.token_estimator import text_size
from idolchat_core.models import StoredId, utc_now
from idolchat_core.prompt.budget import Selection, select_parts
from idolchat_core.prompt.builder import Prompt, build_prompt
from idolchat_core.prompt.entry import Entry
from idolchat_core.prompt.explanation import BuiltPrompt, ExplainedPart
from idolchat_core.prompt.history import History
from idolchat_core.prompt.outline import shared_size
from idolchat_core.prompt.parts import MeasuredPart, PromptPart, Role, Slot, checked_part, measured
from idolchat_core.prompt.sources import Generation, HistoryWindow, PromptSource, PromptTurn
from idolchat_core.turns.casting import heard_by, told
from idolchat_core.turns.plan import Plan
from idolchat_core.turns.resources import EngineResources

__all__ = ["Prompting"]

log = logging.getLogger(__name__)

SOURCE_TIMEOUT_S = 0.25
_IS_DELETED = attrgetter("is_deleted")


@dataclass(slots=True)
class _Collected:
    parts: list[MeasuredPart] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Measuring:
    """Checks and measures what sources say; a part that was in the prompt before, by the object given, is as it was."""

    known: Mapping[int, MeasuredPart]
    tokens_per_size: float

    async def parts_of(self, source: PromptSource, turn: PromptTurn) -> list[MeasuredPart]:
        """Return what a source says. Raises what the source raises, ``TypeError`` and ``ValueError``."""
        given = await source.parts(turn)
        if not given:
            return []
        parts = [self._measured(part, source.name) for part in given]
        tokens = round(self.tokens_per_size * sum([one.size for one in parts if isinstance(one.part.content, str)]))
        if tokens > turn.window_tokens:
            raise ValueError(f"its parts take {tokens} tokens, and the model reads {turn.window_tokens}")
        return parts

    def _measured(self, given: object, source: str) -> MeasuredPart:
        part = self.known.get(id(given))
        if part is not None and part.given is given and part.part.source == source:
            return part
        checked = checked_part(given)
        return measured(checked if checked.source == source else checked._replace(source=source), given=given)


class Prompting:
    """Builds the prompt of one turn."""

    def __init__(self, resources: EngineResources, plan: Plan, *, turn_id: UUID, model: str | None) -> None:
        self._resources = resources
        self._plan = plan
        self._turn_id = turn_id
        self._model = model
        self._collected: _Collected | None = None
        self._generation: Generation = "normal"
        self._asked: PromptTurn | None = None
        self._summaries: Sequence[MeasuredPart] = ()
        self.reserved_tokens = 0.0
        self.built: BuiltPrompt | None = None

    @property
    def is_worth_keeping(self) -> bool:
        """Whether a source said something or failed: the document does not show either."""
        return self._collected is not None and bool(self._collected.parts or self._collected.failures)

    async def build(
        self,
        history: History,
        branch: Sequence[Entry],
        *,
        budget_tokens: float,
        window_tokens: float,
        begun: str = "",
        is_rehearsal: bool = False,
    ) -> Prompt:
        """Build it, cut what no longer fits off the history, and keep what explains it. Raises ``ContextTooLong``.

        ``begun`` is the text of the reply that is continued; the prompt then ends with it, as the assistant's. Of a
        rehearsal, which is sent nowhere, no source learns.
        """
        resources, sources = self._resources, self._resources.prompt_sources
        cast = self._plan.cast
        per_size = resources.estimator.tokens(1.0, self._model)
        self.reserved_tokens = sources.reserved_share * window_tokens
        self._generation = "continue" if begun else "regenerate" if self._plan.answer_to is not None else "normal"
        collected = await self._collect(history, branch, window_tokens=window_tokens)
        said, summaries = collected.parts, list[MeasuredPart]()
        if said:
            summaries = [part for part in said if part.part.stands_for is not None]
            said = [part for part in said if part.part.stands_for is None] if summaries else said
        selection = select_parts(
            [*self._instructions(), *said],
            budgets=sources.budgets(window_tokens),
            tokens_of=lambda size: size * per_size,
            keeps_slots=resources.settings.prompt_layout == "sillytavern",
        )
        late_system, assistant_first = await resources.catalog.prompt_form(self._model)
        prompt = build_prompt(
            selection,
            branch if cast is None else await heard_by(resources, cast, branch, user_id=history.user_id),
            budget_tokens=budget_tokens,
            tokens_per_size=per_size,
            reserved_tokens=self.reserved_tokens,
            cut=history.cut,
            is_complete=history.is_complete,
            extra_size=text_size(str(self._plan.options.get("tools", ""))),
            late_system=late_system,
            assistant_first=assistant_first,
            joins_replies=cast is None,
            begun=begun,
            keeps_thinking=resources.settings.keep_thinking,
            summaries=summaries,
            predicts=bool(sources.listening) and not is_rehearsal,
        )
        self._explain(history, branch, prompt, selection, per_size=per_size, window_tokens=window_tokens)
        self._summaries = summaries
        if not is_rehearsal:
            self._tell(history, prompt)
        return prompt

    @property
    def explained(self) -> BuiltPrompt:
        """What explains the prompt that was built last."""
        if self.built is None:
            raise AssertionError("no prompt was built")
        return self.built

    @property
    def summary(self) -> ExplainedPart | None:
        """The summary in the prompt that was built last."""
        named = {(part.source, part.key) for part, *_ in self._summaries}
        parts = self.explained.explanation().parts if named else ()
        return next((part for part in parts if part.included and (part.source, part.key) in named), None)

    def _tell(self, history: History, prompt: Prompt) -> None:
        """Report where the history was cut, or will soon be, to the sources that ask for it."""
        begins_with = prompt.cut if prompt.is_cut else None
        if begins_with is None and prompt.next_cut is None:
            return
        for source in self._resources.prompt_sources.listening:
            try:
                source.built(HistoryWindow(self._turn_of(source), begins_with, prompt.next_cut))
            except Exception:  # a fault of the plugin, which costs no turn
                facts = {"source": source.name, "turn_id": str(self._turn_id)}
                log.exception("a prompt source failed when it was told of a prompt", extra=facts)

    def _instructions(self) -> list[MeasuredPart]:
        system = self._resources.settings.system_prompt
        parts = [PromptPart("core", "system_prompt", system, Slot.SYSTEM, order=-1)] if system else []
        if (cast := self._plan.cast) is not None:
            parts.append(PromptPart("core", "next_speaker", told(cast), Slot.SYSTEM, order=-1))
        for number, message in enumerate(self._plan.instructions):
            role: Role = "developer" if message.role == "developer" else "system"
            content = message.content or ""
            parts.append(PromptPart("request", f"system/{number}", content, Slot.SYSTEM, role=role, order=-1))
        return [measured(part) for part in parts]

    async def _collect(self, history: History, branch: Sequence[Entry], *, window_tokens: float) -> _Collected:
        if self._collected is None:
            self._collected = collected = _Collected()
            if self._resources.prompt_sources.all:
                said = tuple(filterfalse(_IS_DELETED, branch))
                self._asked = turn = self._turn(history, branch, said, window_tokens)
                speaking = self._speaking(turn, collected)
                if speaking:
                    known = history.last_prompt.lasting if history.last_prompt is not None else {}
                    measuring = _Measuring(known, self._resources.estimator.tokens(1.0, self._model))
                    await self._ask_all(speaking, collected, measuring)
        return self._collected

    def _speaking(self, turn: PromptTurn, collected: _Collected) -> list[PromptSource]:
        """Return the sources that may have something to say."""
        speaking: list[PromptSource] = []
        for source in self._resources.prompt_sources.all:
            try:
                if not source.is_silent(turn):
                    speaking.append(source)
            except Exception as error:  # noqa: BLE001 - a fault of the plugin, which costs its parts
                collected.failures[source.name] = self._raised(source, error)
        return speaking

    async def _ask_all(self, sources: Sequence[PromptSource], collected: _Collected, measuring: _Measuring) -> None:
        """Ask all at once. One that is late, whatever it does about being cancelled, is not waited for."""
        loop = asyncio.get_running_loop()
        # Eagerly, so that a source that has nothing to wait for costs a call, not a task.
        asked = [
            asyncio.Task(measuring.parts_of(source, self._turn_of(source)), loop=loop, eager_start=True)
            for source in sources
        ]
        late = [task for task in asked if not task.done()]
        try:
            if late:
                await _wait(late, SOURCE_TIMEOUT_S, loop)
        finally:
            for task in late:
                if task.done():
                    _is_known(task)
                else:
                    task.cancel()
                    task.add_done_callback(_is_known)
        for source, task in zip(sources, asked, strict=True):
            if task.done() and not task.cancelled() and task.exception() is None:
                collected.parts += task.result()
            else:
                collected.failures[source.name] = self._failed(source, task)

    def _failed(self, source: PromptSource, task: asyncio.Task[list[MeasuredPart]]) -> str:
        """Log that a source has no part in the prompt, and return why."""
        facts = {"source": source.name, "turn_id": str(self._turn_id)}
        if not task.done():
            log.warning("a prompt source took too long and is left out", extra=facts)
            return f"no answer within {SOURCE_TIMEOUT_S:g} s"
        if task.cancelled():
            log.error("a prompt source was cancelled, by itself, and is left out", extra=facts)
            return "it was cancelled, by itself"
        return self._raised(source, task.exception())

    def _raised(self, source: PromptSource, error: BaseException | None) -> str:
        """Log what a source raised, and return it for the explanation."""
        facts = {"source": source.name, "turn_id": str(self._turn_id)}
        log.error("a prompt source failed and is left out", exc_info=error, extra=facts)
        return f"failed with {type(error).__name__}; the server's log says more"

    def _turn_of(self, source: PromptSource) -> PromptTurn:
        """Describe the turn to a source, with the budget that it has."""
        turn = self._asked
        assert turn is not None  # noqa: S101 - a source is asked of the turn first
        share = self._resources.prompt_sources.shares[source.name]
        return turn.with_budget(round(share * turn.window_tokens))

    def _turn(
        self, history: History, branch: Sequence[Entry], said: Sequence[Entry], window_tokens: float
    ) -> PromptTurn:
        """Describe the turn, as yet without the budget that each source has."""
        plan, estimator, model = self._plan, self._resources.estimator, self._model
        return PromptTurn(
            history.id,
            self._turn_id,
            branch[-1].id if branch else plan.user_message_id,
            history.user_id,
            history.character_id,
            plan.cast.speaker_id if plan.cast else history.character_id,
            history.character_ids,
            history.persona_id,
            model,
            self._generation,
            said,
            history.cut,
            history.reading,
            history.created_at,
            window_tokens=round(window_tokens),
            budget_tokens=0,
            count=lambda text: round(estimator.tokens(text_size(text), model)),
        )

    def _explain(
        self,
        history: History,
        branch: Sequence[Entry],
        prompt: Prompt,
        selection: Selection,
        *,
        per_size: float,
        window_tokens: float,
    ) -> None:
        before, history.last_prompt = history.last_prompt, prompt.outline
        start = _place_of(prompt.cut, branch)
        self.built = BuiltPrompt(
            turn_id=self._turn_id,
            conversation_id=history.id,
            user_id=history.user_id,
            made_at=utc_now(),
            model=self._model,
            window_tokens=round(window_tokens),
            tokens=round(per_size * prompt.size),
            shared_tokens=None if before is None else round(per_size * shared_size(before, prompt.outline)),
            parts=BuiltPrompt.decided(selection.decisions),
            history_messages=len(branch) - start,
            left_out_messages=branch[start].position if start < len(branch) else 0,
            failures=dict(self._collected.failures) if self._collected else {},
        )


def _place_of(cut: StoredId | None, branch: Sequence[Entry]) -> int:
    """Return where a message stands on a branch; behind it all where it does not."""
    for place, entry in enumerate(branch):
        if entry.id == cut:
            return place
    return len(branch)


async def _wait(tasks: Sequence[asyncio.Task[Any]], timeout_s: float, loop: asyncio.AbstractEventLoop) -> None:
    """Wait until all tasks are done, or a time is over; a third of what ``asyncio.wait`` costs."""
    over, left = loop.create_future(), len(tasks)

    def ended(_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            end()

    def end() -> None:
        if not over.done():
            over.set_result(None)

    for task in tasks:
        task.add_done_callback(ended)
    timer = loop.call_later(timeout_s, end)
    try:
        await over
    finally:
        timer.cancel()


def _is_known(task: asyncio.Task[list[MeasuredPart]]) -> None:
    """Retrieve what a source raised too late, which asyncio would log otherwise."""
    if not task.cancelled():
        task.exception()
