"""One turn, from what was asked to what is on disk: may, wait, store, answer, store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial
from time import perf_counter
from typing import Any
from uuid import UUID

from idolchat_core.characters.contract import DirectoryEntry
from idolchat_core.coordination.checkpoints import unfinished
from idolchat_core.coordination.contract import (
    AlreadyEntered,
    Occupant,
    OnBusy,
    TurnForgotten,
    TurnsAhead,
    TurnTakenOver,
    UnfinishedTurn,
)
from idolchat_core.coordination.messages import send_stops, send_watch
from idolchat_core.errors import (
    ConversationBusy,
    ConversationDamaged,
    ConversationNotFound,
    IdempotencyMismatch,
    IdolchatError,
    ReplyCut,
    RequestError,
    ShuttingDown,
    StorageConflict,
    StorageUnavailable,
)
from idolchat_core.events.events import TurnEnded, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta, Finished
from idolchat_core.memory_size import memory_size
from idolchat_core.models import Message, new_id, utc_now
from idolchat_core.prompt.explanation import BuiltPrompt
from idolchat_core.prompt.history import History
from idolchat_core.request_context import CALLER
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.turns.admission import CheckAgain, admit, check_may, load, stored_form
from idolchat_core.turns.casting import cast_of
from idolchat_core.turns.completion import Completion
from idolchat_core.turns.lookup import RETRYABLE, StoredTurn, find_message, find_stored_turn, state_of
from idolchat_core.turns.outcome import described, outcome_of
from idolchat_core.turns.plan import Plan, retry_id
from idolchat_core.turns.request import OnDisconnect
from idolchat_core.turns.resources import EngineResources

__all__ = ["TurnRun", "mismatch"]

log = logging.getLogger(__name__)

STOPPING = (OnBusy.INTERRUPT, OnBusy.ROLLBACK)


class TurnRun:
    """Runs one turn; its task is the only owner of ``live``."""

    PURPOSE = "chat"

    __slots__ = (
        "_character",
        "_has_place",
        "_is_streaming",
        "_must_exist",
        "_renames",
        "_resources",
        "_stopped_as",
        "_taken_back",
        "_task",
        "_waiting",
        "built_prompt",
        "is_waiting",
        "live",
        "plan",
        "saved_length",
    )

    def __init__(
        self,
        resources: EngineResources,
        plan: Plan,
        *,
        renames: Callable[..., None],
    ) -> None:
        self.plan = plan
        self.live = LiveTurn(
            turn_id=plan.turn_id,
            conversation_id=plan.conversation_id,
            user_id=plan.user_id,
            user_message_id=plan.user_message_id,
            message_id=new_id(),
            model=plan.model or resources.settings.model or resources.llm.default_model,
            created_at=utc_now(),
            fingerprint=plan.fingerprint,
            on_last_reader_gone=self._reader_gone,
        )
        self._resources = resources
        self._renames = renames
        self._task: asyncio.Task[None] | None = None
        self._stopped_as: TurnState | None = None
        self._is_streaming = False
        self._has_place = False
        self._taken_back: Collection[UUID] = ()
        self._waiting: UnfinishedTurn | None = None
        self._must_exist = False
        self._character: DirectoryEntry | None = None
        self.is_waiting = False
        self.saved_length = 0
        self.built_prompt: BuiltPrompt | None = None

    @property
    def conversation_id(self) -> UUID:
        """Where it belongs."""
        return self.plan.conversation_id

    def spawn(self, over: Callable[[TurnRun], None]) -> asyncio.Task[None]:
        """Start it as a task of its own, so that nobody's leaving ends it.

        ``over`` is called when nothing of it is left to do, before anybody acts on how it ended.
        """
        self._task = asyncio.create_task(self._run(over))
        return self._task

    async def over(self) -> None:
        """Wait until nothing of it is left to do."""
        if self._task is not None:
            await asyncio.wait({self._task})

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes: its events, and what it was asked, of which a retry is made."""
        asked = (*self.plan.messages, *self.plan.instructions)
        asked_bytes = sum([memory_size(one.__dict__) + memory_size(one.__pydantic_extra__) for one in asked])
        return self.live.size_bytes + asked_bytes + memory_size(self.plan.options)

    def rest(self) -> None:
        """Release what only a running turn needs; it must be over."""
        self._task, self._waiting, self._taken_back = None, None, ()
        self.live.rest()

    def stop(self, state: TurnState) -> None:
        """End the reply where it is; what was said is kept, under this state. A finished reply stays finished."""
        if self._stopped_as is None and not self.live.is_over:
            self._stopped_as = state
            if self._is_streaming and self._task is not None:
                self._task.cancel()

    def _reader_gone(self) -> None:
        if self.plan.on_disconnect is OnDisconnect.CANCEL:
            self.stop(TurnState.CANCELLED)

    async def _run(self, over: Callable[[TurnRun], None]) -> None:
        try:
            await self._perform()
        except AlreadyEntered as error:
            self.live.refuse(error)
        except TurnTakenOver as error:
            self._end_taken_over(error)
        except IdolchatError as error:
            self._give_up(error)
        except Exception as error:
            log.exception("a turn failed by a fault of ours", extra=self._facts)
            self._give_up(error)
        finally:
            if not self.live.is_settled:
                self.live.refuse(ShuttingDown("the server stopped before the turn began; send it again"))
            over(self)

    def _give_up(self, error: Exception) -> None:
        if not self.live.has_begun:
            self.live.refuse(error)
        elif not self.live.is_over:
            self.live.end(TurnEnded(state=TurnState.FAILED, error=described(error)))

    def _end_taken_over(self, error: TurnTakenOver) -> None:
        """End the turn as interrupted, as another process has stored it, or as nothing of it is stored."""
        if isinstance(error, TurnForgotten):
            log.warning("a turn was removed with its conversation or user while it ran", extra=self._facts)
        else:
            log.error("another process took this one for dead and has ended a turn", extra=self._facts)
        if self.live.has_begun:
            self.live.end(TurnEnded(state=TurnState.INTERRUPTED))
        else:
            self.live.refuse(StorageUnavailable("this server was cut off from the storage; send again"))

    @property
    def _facts(self) -> dict[str, str]:
        return {"turn_id": str(self.live.turn_id)}

    async def _perform(self, read: History | None = None) -> None:
        history = read or (None if self.plan.is_first else await load(self._resources, self.plan))
        if self.plan.key is not None and self._resources.storage.is_shared and read is None and history is not None:
            history = await self._before_stopping(history)
        history = await self._checked(history)
        if history is not None:
            self.live.user_id = history.user_id
            if await self._is_told_again(history):
                return
        await self._find_character(history)
        call = self._admit()
        changed: History | None = None
        try:
            await self._take_place(call, history)
        except CheckAgain as again:
            changed = again.history
        except ConversationBusy as busy:
            if self.plan.expected_revision is None:
                raise
            text = f"a turn is running in conversation {self.conversation_id} and will change it"
            raise ConversationBusy(f"{text}; wait for it, or cancel it") from busy
        finally:
            call.withdraw()
        if changed is not None:
            await self._perform(changed)

    async def _checked(self, history: History | None) -> History | None:
        """Refuse as ``check_may`` does, and only where the conversation as it is stored now is no reason against it."""
        try:
            check_may(self.plan, history)
        except RequestError:
            if history is None:
                raise
            history = await self._resources.histories.refreshed(history)
            check_may(self.plan, history)
        return history

    async def _find_character(self, history: History | None) -> None:
        """Find who speaks, and run the turn with the model and options that she brings."""
        of = self.plan if history is None else history
        if history is not None and len(history.character_ids) > 1:
            await self._choose_speaker(history)
        elif isinstance(of.character_id, UUID):
            self._character = await self._resources.characters.find(of.character_id, of.user_id)
        if self._character is not None:
            self.plan = self.plan.spoken_by(self._character)
            self.live.model = self.plan.model or self.live.model

    async def _choose_speaker(self, history: History) -> None:
        cast, speaker = await cast_of(self._resources, self.plan, history)
        self._character = speaker.entry
        self.plan = self.plan._replace(cast=cast)
        self.live.reply_fields["character_id"] = cast.speaker_id

    def _admit(self) -> MeteredCall:
        origin = CALLER.get()
        user_id = self.live.user_id
        return self._resources.ledger.admit(
            user_id=user_id, key_id=origin.key_id, address=origin.address, purpose=self.PURPOSE
        )

    async def _take_place(self, call: MeteredCall, history: History | None) -> None:
        turns, turn_id = self._resources.turns, self.live.turn_id
        most = self._resources.settings.max_queued_turns
        plan = self.plan
        is_new = bool(plan.messages) and not plan.is_prefilled
        on_busy = plan.on_busy if plan.expected_revision is None else OnBusy.REJECT
        ahead = await turns.enter(
            self.conversation_id, turn_id, on_busy=on_busy, max_waiting=most, begins_at_once=is_new
        )
        self._has_place = True
        try:
            try:
                admitted = await self._admitted_behind(ahead, call, history)
            except TurnsAhead as others:
                admitted = await self._admitted_behind(others.ahead, call, history)
            if admitted is not None:
                await self._answer(admitted, call)
        finally:
            if self._has_place:
                await turns.end(self.conversation_id, turn_id)

    async def _admitted_behind(
        self, ahead: Sequence[Occupant], call: MeteredCall, history: History | None
    ) -> History | None:
        """Wait for the turns ahead, and do as ``_admit_messages``."""
        if ahead:
            await self._check_key(history)
            self._clear_the_way(ahead)
            await self._wait(ahead, exists=history is not None)
        return await self._admit_messages(call, history, has_waited=bool(ahead))

    async def _before_stopping(self, history: History) -> History:
        """Return a history as it is stored now, for a turn that stops others: one that was told before must not."""
        if self.plan.on_busy in STOPPING:
            return await self._resources.histories.refreshed(history)
        return history

    async def _check_key(self, history: History | None) -> None:
        """Look again whether a key was used before, now that nobody else can use it. Raises ``CheckAgain``."""
        if self.plan.key is None or not self._resources.storage.is_shared:
            return
        if history is None:
            now = await load(self._resources, self.plan)
        else:
            now = await self._resources.histories.refreshed(history)
        if now is not None and now is not history:
            raise CheckAgain(now)

    async def _is_told_again(self, history: History) -> bool:
        """Answer a key that is in the document already; a turn that failed runs again, as a new one."""
        key = self.plan.key
        if key is None or not self.plan.messages:
            return False
        is_loaded = any(entry.turn_id == self.plan.turn_id for entry in history.path)
        if not is_loaded and len(history.path) == history.total:
            return False
        stored = await self._stored_before(history, is_loaded=is_loaded)
        if stored is None:
            return False
        if stored.user_message.deleted_at is not None and stored.user_message.turn_id == stored.turn_id:
            raise IdempotencyMismatch(
                f"what was sent with the key {key!r} was deleted: make a new key to send it again"
            )
        if stored.request_hash != self.plan.fingerprint:
            raise mismatch(key)
        if state_of(stored.newest_reply) in RETRYABLE:  # one without a reply, too
            stored = await self._not_running(stored)
        reply = stored.newest_reply
        if reply is None or state_of(reply) in RETRYABLE:
            await self._run_again(stored)
            return False
        await self._replay(stored, reply)
        return True

    async def _stored_before(self, history: History, *, is_loaded: bool) -> StoredTurn | None:
        # What is loaded may not be known to the storage's index yet.
        where = history.id if is_loaded else None
        try:
            return await find_stored_turn(self._resources.storage, self.plan.turn_id, conversation_id=where)
        except StorageUnavailable:
            # The index cannot tell; a keyed turn is in its own conversation or nowhere.
            return await find_stored_turn(self._resources.storage, self.plan.turn_id, conversation_id=history.id)

    async def _not_running(self, stored: StoredTurn) -> StoredTurn:
        """Return how a turn is stored that does not run any more. Raises ``AlreadyEntered`` where it does."""
        running = await self._resources.turns.find(self.live.turn_id)
        if running is not None:
            raise AlreadyEntered(running)
        storage = self._resources.storage
        if not storage.is_shared:
            return stored
        # It may have ended since it was read.
        return await find_stored_turn(storage, stored.turn_id, conversation_id=stored.conversation_id) or stored

    async def _run_again(self, stored: StoredTurn) -> None:
        reply = stored.newest_reply
        continues = reply.continues if reply else self.plan.prefill_id if self.plan.is_prefilled else None
        turn_id = retry_id(stored.newest_turn_id)
        self._renames(self, turn_id)
        self.plan = self.plan.again(stored.user_message.id, turn_id=turn_id, continues=continues)
        self.live.turn_id, self.live.user_message_id = self.plan.turn_id, self.plan.user_message_id

    async def _replay(self, stored: StoredTurn, reply: Message) -> None:
        live = self.live
        if stored.newest_turn_id != live.turn_id:
            self._renames(self, stored.newest_turn_id, is_over=True)
            live.turn_id = stored.newest_turn_id
        said = reply.content if isinstance(reply.content, str) else ""
        if reply.continues is not None:
            found = await find_message(self._resources.storage, stored.conversation_id, reply.continues)
            live.continued_text = begun = str(found[0].content or "") if found else ""
            said = said.removeprefix(begun)
        live.user_message_id, live.message_id = stored.user_message.id, reply.id
        live.model, live.created_at = reply.model, reply.timestamp
        live.begin()
        live.say(Delta(said, _fields_of(reply), reply.model))
        live.end(TurnEnded(state=state_of(reply), message=reply, usage=reply.usage, error=reply.error))

    def _clear_the_way(self, ahead: Sequence[Occupant]) -> None:
        if self.plan.on_busy in STOPPING:
            send_stops(self._resources.bus, ahead, TurnState.CANCELLED)
            if self.plan.on_busy is OnBusy.ROLLBACK:
                self._taken_back = {turn.turn_id for turn in ahead}

    async def _wait(self, ahead: Sequence[Occupant], *, exists: bool) -> None:
        """Wait for the turns ahead; the message is on disk meanwhile, so that the turn exists for its sender."""
        turns = self._resources.turns
        self.is_waiting = True
        if self.plan.messages and not self.plan.is_prefilled:
            messages = stored_form(self.plan.messages, self.plan, self.live)
            exists = exists or any(turn.has_begun for turn in ahead)
            character_id = self.plan.character_id
            turn = unfinished(self.live, messages=messages, character_id=character_id, continues=exists)
            await turns.wait(turn)
            self._waiting = turn
            self.live.begin(turns_ahead=len(ahead))
        if ahead[-1].inbox != self._resources.bus.inbox:
            send_watch(self._resources.bus, ahead[-1])
        follows_begun = await turns.reached(self.conversation_id, self.live.turn_id)
        self.is_waiting = False
        self._must_exist = exists or follows_begun

    async def _admit_messages(self, call: MeteredCall, history: History | None, *, has_waited: bool) -> History | None:
        """Make the turn durable; None when that failed after all, for one whose sender was told that it exists."""
        started_at = perf_counter()
        try:
            admitted = await self._admit_and_open(call, history, has_waited=has_waited)
        except (StorageUnavailable, ConversationDamaged) as error:
            if self._waiting is None:
                raise
            await self._end_unasked(self._waiting, error)
            return None
        self._stored(started_at)
        refused = await self._refused_line(call)
        if not self.live.has_begun:
            self.live.begin()
        if refused is not None:
            await self._end_unasked(unfinished(self.live), refused)
            return None
        return admitted

    async def _refused_line(self, call: MeteredCall) -> StorageUnavailable | None:
        """Wait for the ledger's line; return why it could not be written, for a turn whose messages are stored.

        Such a turn exists for its sender, who would send the messages twice otherwise.
        """
        try:
            await call.written()
        except StorageUnavailable as error:
            if self.plan.answer_to is not None:
                raise
            return error
        return None

    async def _end_unasked(self, turn: UnfinishedTurn, error: IdolchatError) -> None:
        """End a turn of which its sender knows, without asking the provider."""
        await self._end_unstored(turn, outcome_of(self.live, None, error, None), error)

    async def _admit_and_open(self, call: MeteredCall, history: History | None, *, has_waited: bool) -> History:
        """Write the messages, and begin to write that the provider is about to be asked: one wait for the disk."""
        if has_waited:
            history = await load(self._resources, self.plan)
            if history is None and self._must_exist:
                raise ConversationNotFound(f"conversation {self.conversation_id} was deleted while the turn waited")
            if history is not None and history.character_ids:  # who spoke last is known now
                if self._resources.storage.is_shared:
                    history = await self._resources.histories.refreshed(history)
                await self._find_character(history)
        call.prepare(
            call_id=self.live.message_id,
            turn_id=self.live.turn_id,
            conversation_id=self.conversation_id,
            user_id=self.live.user_id,
            model=self.live.model,
        )
        return await admit(
            self._resources,
            self.plan,
            self.live,
            history,
            call=call,
            taken_back=self._taken_back,
            character=self._character,
            is_new=has_waited,
        )

    async def _answer(self, history: History, call: MeteredCall) -> None:
        answer = Completion(self._resources, self.plan, self.live, call)
        self.live.state = TurnState.RUNNING
        ended = await self._asked(answer, history)
        self.built_prompt = answer.prompting.built
        if self.built_prompt is not None and answer.prompting.is_worth_keeping:
            self._resources.prompt_records.save(self.built_prompt)
            self.built_prompt = None  # the record alone is kept, which goes with what it names
        started_at = perf_counter()
        try:
            ended = await self._store(ended, call)
        except (StorageUnavailable, StorageConflict, ConversationDamaged) as refused:
            await self._end_unstored(unfinished(self.live), ended, refused)
        else:
            self._stored(started_at)
            self.live.end(ended)
        for observer in self._resources.observers:
            observer.turn_ended(answer.report(ended))

    async def _store(self, ended: TurnEnded, call: MeteredCall) -> TurnEnded:
        """Put the reply after the message that it answers; return the event as it is now. Raises ``StorageError``."""
        if ended.message is None:
            return ended
        resources, live = self._resources, self.live
        history = await load(resources, self.plan)
        end = partial(resources.turns.end, self.conversation_id, live.turn_id, call=call)
        stored = await resources.writer.write_reply(
            self.conversation_id, ended.message, end, answers=live.user_message_id, history=history
        )
        self._has_place = False
        return ended if stored is ended.message else ended._replace(message=stored)

    async def _asked(self, answer: Completion, history: History) -> TurnEnded:
        """Ask the provider, and return how that ended."""
        finished: Finished | None = None
        error: Exception | None = None
        self._is_streaming = True
        try:
            if self._stopped_as is None:
                finished = await answer.ask(history)
        except asyncio.CancelledError as raised:
            error = self._stopped_by(raised)
        except IdolchatError as raised:
            error = raised
        except Exception as raised:
            log.exception("the provider failed in a way it should not", extra=self._facts)
            error = raised
        finally:
            self._is_streaming = False
        ended = outcome_of(self.live, finished, error, self._stopped_as, usage=answer.usage(finished))
        answer.settle(ended, error)
        return ended

    def _stopped_by(self, cancelled: asyncio.CancelledError) -> Exception | None:
        """Return the error that a cancellation means: none for a stop that was asked for, else the provider's fault."""
        task = asyncio.current_task()
        if self._stopped_as is not None and task is not None:
            task.uncancel()
            return None
        if task is None or task.cancelling():
            raise cancelled
        log.error("the provider cancelled its own reply", extra=self._facts)
        return ReplyCut("the provider cancelled the reply before it was finished; try again")

    def _stored(self, started_at: float) -> None:
        for observer in self._resources.observers:
            observer.stored(perf_counter() - started_at)

    async def _end_unstored(self, turn: UnfinishedTurn, ended: TurnEnded, error: IdolchatError) -> None:
        """End without having stored the reply, which is kept until it can be, as one that did not arrive."""
        told, is_empty = described(error), self.live.reply.is_empty
        reason, state = ("error", TurnState.FAILED) if is_empty else ("incomplete", TurnState.INCOMPLETE)
        if ended.message is not None:
            reply = ended.message.model_copy(update={"finish_reason": reason, "error": told})
            self._resources.unstored.add(turn, reply)
            self._has_place = False
            await self._resources.turns.postpone(self.conversation_id, self.live.turn_id)
        self.live.end(TurnEnded(state=state, usage=ended.usage, error=told))


def mismatch(key: str) -> IdempotencyMismatch:
    """Return the error of a key used for another request (draft-ietf-httpapi-idempotency-key-header-07, 2.7)."""
    return IdempotencyMismatch(
        f"the idempotency key {key!r} was used with another request: make a new key for this one"
    )


def _fields_of(reply: Message) -> dict[str, Any] | None:
    fields = {"tool_calls": reply.tool_calls} if reply.tool_calls else {}
    for name in ("reasoning", "reasoning_details", "refusal"):
        value = (reply.__pydantic_extra__ or {}).get(name)
        if value:
            fields[name] = value
    return fields or None
