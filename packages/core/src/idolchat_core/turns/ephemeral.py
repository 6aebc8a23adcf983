"""Answers that are stored nowhere: what a front end asks beside the conversation, and plain calls of a model."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from idolchat_core.errors import IdolchatError, ReplyCut, ShuttingDown
from idolchat_core.events.events import TurnEnded, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Finished
from idolchat_core.llm.token_estimator import message_size
from idolchat_core.models import Conversation, Message, new_id, utc_now
from idolchat_core.prompt.builder import Prompt
from idolchat_core.prompt.history import History
from idolchat_core.prompt.sources import PromptSources
from idolchat_core.request_context import CALLER
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.turns.completion import Completion
from idolchat_core.turns.outcome import described, outcome_of
from idolchat_core.turns.plan import Plan
from idolchat_core.turns.request import NewMessage, OnDisconnect
from idolchat_core.turns.resources import EngineResources

__all__ = ["EphemeralRequest", "EphemeralTurn"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EphemeralRequest:
    """What is to be answered and stored nowhere.

    ``messages`` are all that was said, oldest first; a text of the assistant at the end is continued. ``purpose`` is
    that of the call in the ledger. Prompt sources say what they have to say for ``conversation_id`` and
    ``character_id``, unless ``is_plain``: the model then gets the messages as they are, and nothing else.
    """

    messages: tuple[NewMessage, ...]
    purpose: str
    conversation_id: UUID | None = None
    user_id: UUID | None = None
    character_id: UUID | None = None
    model: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = True
    on_disconnect: OnDisconnect = OnDisconnect.CANCEL
    is_plain: bool = False


class EphemeralTurn:
    """One such answer; its events are read as those of a turn."""

    def __init__(self, resources: EngineResources, request: EphemeralRequest) -> None:
        self._request = request
        self._resources = replace(resources, prompt_sources=PromptSources()) if request.is_plain else resources
        messages = [_stored(message) for message in request.messages if not message.is_instruction]
        begun = messages.pop() if messages and messages[-1].role == "assistant" and not request.is_plain else None
        self._conversation_id = request.conversation_id or new_id()
        self._messages = tuple(messages)
        asked = messages[-1].id if messages else new_id()
        self.live = LiveTurn(
            turn_id=new_id(),
            conversation_id=self._conversation_id,
            user_id=request.user_id,
            user_message_id=asked,
            message_id=new_id(),
            model=request.model or resources.settings.model or resources.llm.default_model,
            created_at=utc_now(),
            on_last_reader_gone=self._reader_gone,
        )
        if begun is not None:
            self.live.go_on_from(begun.id, str(begun.content or ""), answers=asked)
        self._task: asyncio.Task[None] | None = None
        self._stopped_as: TurnState | None = None

    def spawn(self, over: Callable[[EphemeralTurn], None]) -> asyncio.Task[None]:
        """Start it as a task of its own; ``over`` is called when nothing of it is left to do."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: self._over(over))
        return self._task

    def _over(self, over: Callable[[EphemeralTurn], None]) -> None:
        self._end_early()  # where it was cancelled before it began
        over(self)

    def stop(self, state: TurnState) -> None:
        """End it where it is."""
        if self._stopped_as is None and not self.live.is_over and self._task is not None:
            self._stopped_as = state
            self._task.cancel()

    def _reader_gone(self) -> None:
        if self._request.on_disconnect is OnDisconnect.CANCEL:
            self.stop(TurnState.CANCELLED)

    async def _run(self) -> None:
        try:
            await self._perform()
        except IdolchatError as error:
            self.live.refuse(error)
        except asyncio.CancelledError:
            self._end_early()
        except Exception as error:
            log.exception("an answer that is stored nowhere failed by a fault of ours")
            self._end_early(error)

    def _end_early(self, error: Exception | None = None) -> None:
        if self.live.is_over or (self.live.is_settled and not self.live.has_begun):
            return
        if not self.live.has_begun:
            self.live.refuse(error or ShuttingDown("the server stopped before the answer began; send it again"))
        else:
            state = TurnState.FAILED if error else self._stopped_as or TurnState.INCOMPLETE
            self.live.end(TurnEnded(state=state, error=described(error) if error else None))

    async def _perform(self) -> None:
        request, live, origin = self._request, self.live, CALLER.get()
        call = self._resources.ledger.admit(
            user_id=request.user_id, key_id=origin.key_id, address=origin.address, purpose=request.purpose
        )
        try:
            call.open(call_id=live.message_id, user_id=request.user_id, model=live.model)
            call.write()
            await call.written()
            live.state = TurnState.RUNNING
            live.begin()
            live.end(await self._answered(call))
        finally:
            call.withdraw()

    async def _answered(self, call: MeteredCall) -> TurnEnded:
        completion = self._completion(call)
        finished: Finished | None = None
        error: Exception | None = None
        try:
            finished = await completion.ask(self._history())
        except asyncio.CancelledError:
            error = self._stopped()
        except IdolchatError as raised:
            error = raised
        except Exception as raised:
            log.exception("the provider failed in a way it should not")
            error = raised
        ended = outcome_of(self.live, finished, error, self._stopped_as, usage=completion.usage(finished))
        completion.settle(ended, error)
        for observer in self._resources.observers:
            observer.turn_ended(completion.report(ended))
        return ended

    def _stopped(self) -> Exception | None:
        """Return the error that a cancellation means: none for a stop that was asked for, else the provider's fault."""
        if self._stopped_as is None:
            return ReplyCut("the provider cancelled the reply before it was finished; try again")
        if self._task is not None:
            self._task.uncancel()
        return None

    def _completion(self, call: MeteredCall) -> Completion:
        request = self._request
        plan = Plan(
            conversation_id=self._conversation_id,
            turn_id=self.live.turn_id,
            user_message_id=self.live.user_message_id,
            user_id=request.user_id,
            character_id=request.character_id,
            instructions=tuple([message for message in request.messages if message.is_instruction]),
            model=request.model,
            options=request.options,
            stream=request.stream,
        )
        if request.is_plain:
            sent = [message.model_dump(exclude_unset=True) for message in request.messages]
            return _PlainCompletion(self._resources, plan, self.live, call, sent=sent)
        return Completion(self._resources, plan, self.live, call)

    def _history(self) -> History:
        now = utc_now()
        conversation = Conversation(
            id=self._conversation_id,
            created_at=now,
            updated_at=now,
            user_id=self._request.user_id,
            character_id=self._request.character_id,
            messages=self._messages,
        )
        return History.of_new(conversation, revision="unstored")


class _PlainCompletion(Completion):
    """Sends the model messages as they are."""

    def __init__(
        self,
        resources: EngineResources,
        plan: Plan,
        live: LiveTurn,
        call: MeteredCall,
        *,
        sent: list[dict[str, Any]],
    ) -> None:
        super().__init__(resources, plan, live, call)
        self._sent = sent

    async def _prompt(self, history: History, budget_tokens: float) -> Prompt:
        return Prompt(messages=self._sent, size=sum(message_size(message) for message in self._sent), cut=None)


def _stored(message: NewMessage) -> Message:
    given = message.model_dump(exclude_unset=True, include={"role", "content", "name", "tool_calls", "tool_call_id"})
    return Message(**given, id=new_id(), timestamp=utc_now())
