"""The turn engine: begins turns, finds them again, stops them, and keeps them for a while when they are over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4, uuid5

from idolchat_core.background_tasks import BackgroundTasks
from idolchat_core.characters.contract import CharacterDirectory
from idolchat_core.characters.joined import JoinedDirectories
from idolchat_core.coordination.contract import AlreadyEntered, Coordination
from idolchat_core.coordination.local import local_coordination
from idolchat_core.errors import (
    ConfigurationError,
    ShuttingDown,
    StorageError,
    StorageUnavailable,
    TurnExpired,
    TurnNotFound,
    TurnNotRetryable,
)
from idolchat_core.events.events import TurnState, TurnStatus
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import LLMProvider
from idolchat_core.llm.model_catalog import ModelCatalog
from idolchat_core.llm.token_estimator import TokenEstimator
from idolchat_core.models import StoredId
from idolchat_core.prompt.explanation import PromptExplanation
from idolchat_core.prompt.history import Histories
from idolchat_core.prompt.sources import PromptSource, PromptSources
from idolchat_core.settings import CoreSettings
from idolchat_core.spending.background import BackgroundCompletions
from idolchat_core.spending.ledger import Ledger
from idolchat_core.storage.changes import GONE, ChangeKind
from idolchat_core.storage.contract import Storage
from idolchat_core.turns.context_window import ContextWindow, measure_window
from idolchat_core.turns.derived_ids import derivation_secret
from idolchat_core.turns.ephemeral import EphemeralRequest, EphemeralTurn
from idolchat_core.turns.idempotency import IdempotentStarts
from idolchat_core.turns.local_turns import LocalTurns
from idolchat_core.turns.lookup import StoredTurn, find_stored_turn
from idolchat_core.turns.message_writer import MessageWriter
from idolchat_core.turns.observers import TurnObserver
from idolchat_core.turns.plan import After, Plan, retry_id
from idolchat_core.turns.prompt_records import PromptRecords, forget_prompts
from idolchat_core.turns.recovery import UnstoredTurns
from idolchat_core.turns.remote_turns import RemoteTurns
from idolchat_core.turns.request import NewMessage, TurnOptions, TurnRequest
from idolchat_core.turns.resources import EngineResources
from idolchat_core.turns.retrying import Retryable
from idolchat_core.turns.taking_over import TakeOver

__all__ = ["LiveTurn", "TurnEngine"]

log = logging.getLogger(__name__)

EVERY_S = 0.5
"""How often running replies are saved: less than the one second of text that a crash may cost."""
FAR_EVERY_S = 5.0
"""The same for a storage that is far, where each time is an upload."""
LEFT_BYTES = 16 * 1024 * 1024
"""Of events of finished turns that are left to other processes at the end."""
PRUNE_EVERY_S = 6 * 3600.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
"""Between attempts to read a storage that was away at the start."""


class TurnEngine:
    """Runs turns over one storage and one provider; an async context manager that drains when it closes.

    With ``recovers`` it brings in what a crash, or a process that died, left unfinished; where the storage is not
    shared, that is for one process at a time. Without ``coordination`` nobody else runs turns on the storage.
    ``background`` is opened with the ledger, and closed before it.
    """

    def __init__(
        self,
        storage: Storage,
        llm: LLMProvider,
        *,
        settings: CoreSettings,
        recovers: bool = False,
        prompt_sources: Sequence[PromptSource] = (),
        background: BackgroundCompletions | None = None,
        characters: CharacterDirectory | None = None,
        coordination: Coordination | None = None,
    ) -> None:
        histories = Histories(storage, max_bytes=settings.history_bytes)
        writer = MessageWriter(storage, histories)
        coordination = coordination or local_coordination(storage)
        turns = coordination.turns
        self._resources = EngineResources(
            storage=storage,
            llm=llm,
            settings=settings,
            characters=characters or JoinedDirectories(),
            histories=histories,
            writer=writer,
            turns=turns,
            bus=coordination.bus,
            unstored=UnstoredTurns(storage, histories=histories, writer=writer, turns=turns),
            catalog=ModelCatalog(llm),
            ledger=Ledger(
                storage,
                llm,
                settings=settings,
                buckets=coordination.counters.buckets,
                share=coordination.counters.share,
            ),
            estimator=TokenEstimator(),
            prompt_records=PromptRecords(storage, kept_days=settings.prompt_retention_days),
            prompt_sources=PromptSources(prompt_sources),
        )
        self._turns, self._bus, self._membership = turns, coordination.bus, coordination.membership
        self._local = LocalTurns(self._resources, check=self._check_running)
        self._remote = RemoteTurns(self._resources, self._local)
        self._starts = IdempotentStarts(self._local, self._remote)
        self._taking_over = TakeOver(self._resources, is_on=recovers)
        self._receiving = AsyncExitStack()
        self._ephemeral: set[EphemeralTurn] = set()
        self._is_draining = False
        self._secret = uuid4()
        self._unread_because: StorageUnavailable | None = None
        self._background = BackgroundTasks()
        self._background_completions = background

    async def __aenter__(self) -> Self:
        if (now := time.time()) < 0:
            raise ConfigurationError(
                f"the clock of this machine stands {-now / 86400:.0f} days before 1970; set it, for every message"
                " and every id carries the time"
            )
        try:
            await self._read_what_was_left()
        except StorageUnavailable as error:
            log.warning("the storage cannot be reached; turns begin when it can", extra={"reason": str(error)})
            self._unread_because = error
            self._background.start("opening", self._read_later)
        await self._receiving.enter_async_context(self._remote.receiving())
        self._background.start("checkpoints", self._save_regularly)
        if self._resources.prompt_sources.all:
            self._background.start("prompts", self._prune_prompts)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._background_completions is not None:
            await self._background_completions.close()
        await self.drain(grace_s=0 if kind else self._resources.settings.shutdown_grace_s)
        await self._background.close()
        await self._leave_finished()
        await self._remote.close()
        await self._receiving.aclose()
        await self._turns.close()
        await self._resources.prompt_records.close()
        await self._resources.ledger.close()
        await self._resources.catalog.close()

    @property
    def ledger(self) -> Ledger:
        """What was spent, and what may be."""
        return self._resources.ledger

    @property
    def failing(self) -> Mapping[str, str]:
        """The background tasks that do not do their work now, each with what is wrong; see ``BackgroundTasks``."""
        return {**self._background.failing, **self._resources.ledger.failing}

    def observe(self, observer: TurnObserver) -> None:
        """Report every turn to an observer from now on."""
        self._resources.observers.append(observer)

    @property
    def waiting(self) -> int:
        """Count the turns that wait for another in their conversation."""
        return sum(run.is_waiting for run in self._local.running.values())

    @property
    def unstored(self) -> int:
        """Count the turns that are over and could not be stored yet."""
        return self._resources.unstored.count

    @property
    def running(self) -> int:
        """Count the turns that are queued or running."""
        return len(self._local.running)

    @property
    def remote_readers(self) -> int:
        """Count the readers in other processes of turns of this one."""
        return self._remote.relay.readers

    @property
    def remote_turns(self) -> int:
        """Count the turns of other processes that are followed here."""
        return self._remote.relay.followed

    @property
    def taken_over(self) -> int:
        """Count the turns that processes that died have left, and that were ended here."""
        return self._taking_over.count

    async def start(
        self, request: TurnRequest, *, idempotency_key: str | None = None, after: After | None = None
    ) -> LiveTurn:
        """Begin a turn, or find the one that this key began. When it returns, the user's message is on disk.

        With ``after`` the messages go there, all of them, and make a branch where something follows it already.
        Raises ``ConversationMismatch``, ``ConversationBusy``, ``QueueFull``, ``IdempotencyMismatch``,
        ``ShuttingDown`` and ``StorageError``.
        """
        return await self._starts.begin(Plan.of(request, key=idempotency_key, secret=self._secret, after=after))

    async def edit(
        self,
        message_id: StoredId,
        request: TurnRequest,
        *,
        idempotency_key: str | None = None,
        expected_revision: str | None = None,
    ) -> LiveTurn:
        """Put other messages where a stored one of whatever branch is, on a branch of their own, and answer them.

        ``request.conversation_id`` tells where. Raises as ``start``, ``ConversationNotFound``, ``InvalidRequest`` when
        there is no such message, and ``RevisionMismatch`` when the conversation has another revision; one that is
        expected to have a revision must be at rest.
        """
        plan = Plan.of(
            request,
            key=idempotency_key,
            secret=self._secret,
            instead_of=message_id,
            expected_revision=expected_revision,
        )
        return await self._starts.begin(plan)

    async def regenerate(self, conversation_id: UUID, options: TurnOptions) -> LiveTurn:
        """Answer the last message of the active branch once more; the replies it has stay, as siblings.

        Raises as ``start``, ``ConversationNotFound``, and ``TurnNotRetryable`` when there is nothing to answer.
        """
        histories = self._resources.histories
        history = await histories.refreshed(await histories.get(conversation_id))
        asked = await histories.load_question(history)
        if asked is None:
            raise TurnNotRetryable(f"conversation {conversation_id} has no message to answer")
        return await self._local.launch(Plan.anew(conversation_id, asked.id, options))

    async def answer_again(
        self,
        conversation_id: UUID,
        message_id: StoredId,
        options: TurnOptions,
        *,
        instructions: Sequence[NewMessage] = (),
    ) -> LiveTurn:
        """Answer a message of whatever branch once more; the branch up to it and the new reply is then the active one.

        Raises as ``start``, ``ConversationNotFound``, and ``TurnNotRetryable`` when there is no such message.
        """
        plan = Plan.anew(conversation_id, message_id, options, changes_branch=True)
        return await self._local.launch(plan._replace(instructions=tuple(instructions)))

    async def continue_reply(
        self,
        conversation_id: UUID,
        reply_id: StoredId,
        options: TurnOptions,
        *,
        changes_branch: bool = False,
        instructions: Sequence[NewMessage] = (),
    ) -> LiveTurn:
        """Continue a reply to the last message of the active branch.

        The whole of it, what was there and what is added, becomes a sibling of that reply; events carry what is added.
        With ``changes_branch`` it may be a reply of another branch, which is then the active one.
        Raises as ``start``, ``ConversationNotFound``, ``InvalidRequest`` when there is no such message, and
        ``TurnNotRetryable`` when it cannot be continued.
        """
        plan = Plan.continuing(conversation_id, reply_id, options, changes_branch=changes_branch)
        return await self._local.launch(plan._replace(instructions=tuple(instructions)))

    async def answer_unstored(self, request: EphemeralRequest) -> LiveTurn:
        """Answer messages that are stored nowhere; see ``EphemeralTurn``. The call is in the ledger all the same.

        Raises ``ShuttingDown``, ``SpendingStopped``, ``BudgetExceeded``, ``LimitReached``, ``StorageUnavailable``.
        """
        self._check_running()
        turn = EphemeralTurn(self._resources, request)
        self._ephemeral.add(turn)
        task = turn.spawn(self._ephemeral.discard)
        self._local.tasks.add(task)
        task.add_done_callback(self._local.tasks.discard)
        await turn.live.begun()
        return turn.live

    def derived_id(self, *names: str) -> UUID:
        """Make an id that follows from names, the same at every call and start, and that nobody else can make."""
        self._check_read()
        return uuid5(self._secret, "\0".join(names))

    async def retry(
        self, turn_id: UUID, options: TurnOptions | None = None, *, otherwise: TurnOptions | None = None
    ) -> LiveTurn:
        """Answer the message of a turn that did not complete once more, as a new turn.

        Without ``options`` it runs as it did before, or, where that is no longer known, as ``otherwise`` says. Asked
        again, it gives the same new turn.
        Raises as ``start``, ``TurnNotFound``, ``TurnNotRetryable``.
        """
        before = await self._retryable(turn_id)
        retried = self._local.find(retry_id(turn_id)) or self._local.find(before.retry_id)
        if retried is not None:  # asked for before, or by another request at the same moment
            with suppress(AlreadyEntered):  # in another process, too
                await retried.live.begun()
                return retried.live
        kept = self._local.finished.get(turn_id)
        if kept is not None and options is None:
            plan = before.as_before(kept.plan)
        else:
            plan = before.anew(options or otherwise or TurnOptions())
        try:
            return await self._starts.begin(plan)
        except AlreadyEntered:  # it has ended meanwhile
            return await self.find(plan.turn_id)

    async def _retryable(self, turn_id: UUID) -> Retryable:
        run = self._local.find(turn_id)
        if run is not None and run.live.has_begun:
            return Retryable.of_live(run.live)
        return Retryable.of_stored(await self._stored(turn_id))

    async def find(self, turn_id: UUID, *, after: int = -1) -> LiveTurn:
        """Find a turn whose events are kept, or that runs in another process. Raises ``TurnNotFound``, ``TurnExpired``.

        A turn of another process is waited for a moment until event ``after`` of it is known here, which a reader may
        have seen there. ``StorageUnavailable`` is raised where that process does not answer.
        """
        run = self._local.find(turn_id)
        if run is not None:
            return run.live
        live = await self._remote.follow(turn_id, after=after)
        if live is not None:
            return live
        await self.status(turn_id)
        raise TurnExpired(f"turn {turn_id} is over and its events are no longer kept; its messages are")

    async def status(self, turn_id: UUID) -> TurnStatus:
        """Return how a turn stands, from its events or from its messages. Raises ``TurnNotFound``."""
        run = self._local.find(turn_id)
        if run is not None and run.live.has_begun:
            return run.live.status
        return await self._remote.status(turn_id) or (await self._stored(turn_id)).status

    async def _stored(self, turn_id: UUID) -> StoredTurn:
        stored = await find_stored_turn(self._resources.storage, turn_id)
        if stored is None:
            raise TurnNotFound(f"no turn {turn_id}")
        return stored

    async def owner(self, turn_id: UUID) -> StoredId | None:
        """Return whose conversation a turn is in; None for a conversation without a user. Raises ``TurnNotFound``."""
        run = self._local.find(turn_id)
        if run is not None and run.live.has_begun:
            return run.live.user_id
        status = await self.status(turn_id)
        page = await self._resources.storage.read_page(status.conversation_id, limit=1)
        return page.conversation.user_id

    async def cancel(self, turn_id: UUID) -> TurnStatus:
        """Stop a turn, keep what was said, and tell how it ended; one that is over stays as it is.

        One that waits is stopped when its place comes. Raises ``TurnNotFound``.
        """
        run = self._local.running.get(turn_id)
        if run is not None:
            try:
                await run.live.begun()
            except AlreadyEntered:  # it runs in another process, and its key was sent here
                run = None
            else:
                turn_id = run.live.turn_id
        occupant = await self._remote.stop(turn_id)
        if occupant is None:
            return await self.status(turn_id)
        if occupant.is_waiting:
            return replace(await self.status(turn_id), state=TurnState.CANCELLED)
        if run is not None:
            await run.live.ended()
            return run.live.status
        await self._remote.gone(occupant)
        return await self._remote.ended(occupant) or await self.status(turn_id)

    async def explain_prompt(self, turn_id: UUID) -> PromptExplanation:
        """Return what went into the prompt of a turn.

        Raises ``TurnNotFound``, and ``TurnExpired`` where that is not known any more, or not yet.
        """
        run = self._local.find(turn_id)
        if run is not None and run.built_prompt is not None:
            return run.built_prompt.explanation()
        status = await self.status(turn_id)
        kept = await self._resources.prompt_records.find(status.conversation_id, turn_id)
        if kept is None:
            raise TurnExpired(f"what went into the prompt of turn {turn_id} is not known, or no longer")
        return kept

    async def window(self, conversation_id: UUID) -> ContextWindow:
        """Measure how full the context window of a conversation is; see ``measure_window``."""
        self._check_read()
        return await measure_window(self._resources, conversation_id)

    async def is_busy(self, conversation_id: UUID) -> bool:
        """Return whether a turn runs or waits in a conversation."""
        return bool(await self._turns.occupants(conversation_id))

    def forget(self, conversation_id: UUID) -> None:
        """Read a conversation from storage again: somebody has changed it there."""
        self._resources.histories.forget(conversation_id)

    async def follow(self, conversation_id: UUID, kinds: Collection[ChangeKind]) -> None:
        """Act on what another process has done to a conversation. Raises ``StorageUnavailable``.

        Where it was deleted, nothing that runs, waits or is still to be stored belongs to it any more. Where it was
        replaced, turns go on in what is there now: their messages were acknowledged.
        """
        if not GONE.isdisjoint(kinds):
            await self.stop_all(conversation_id)
        else:
            self.forget(conversation_id)
            if ChangeKind.MESSAGE_DELETED in kinds:  # which it was is not told
                self._resources.prompt_records.drop(conversation_id)

    async def release(self, conversation_id: UUID) -> None:
        """Store what is left of a conversation's turns, and keep nothing of them in memory or in checkpoints.

        Raises ``StorageError`` where that cannot be done now.
        """
        await self._resources.unstored.flush(conversation_id)
        await self._turns.settled()
        self._resources.histories.forget(conversation_id)
        self._local.finished.forget_conversation(conversation_id)

    async def stop_all(self, conversation_id: UUID) -> None:
        """Cancel what runs and waits in a conversation, and forget what is known of it.

        Nothing of it is brought back by a later start. Raises ``StorageUnavailable`` where that cannot be had now.
        """
        turns = await self._turns.occupants(conversation_id)
        for turn in turns:
            await self._remote.stop(turn.turn_id)
        for turn in turns:
            await self._remote.gone(turn)
        await self._resources.unstored.forget(conversation_id)
        await self._turns.settled()
        await forget_prompts(self._resources.storage, conversation_id)
        self._resources.histories.forget(conversation_id)
        self._local.finished.forget_conversation(conversation_id)

    async def drain(self, *, grace_s: float) -> None:
        """Refuse new turns, wait ``grace_s`` seconds for the running ones, then store the rest as ``incomplete``."""
        self._is_draining = True
        await self._leave_new_turns()
        if self._local.tasks:
            await asyncio.wait(self._local.tasks, timeout=grace_s)
        await self._turns.hand_over()
        for run in list(self._local.running.values()):
            run.stop(TurnState.INCOMPLETE)
        for turn in list(self._ephemeral):
            turn.stop(TurnState.INCOMPLETE)
        if self._local.tasks:
            await asyncio.wait(self._local.tasks)
        await self._resources.unstored.flush_all(at_once=True)
        if self._resources.unstored.count:
            log.error("turns could not be stored before the end", extra={"turns": self._resources.unstored.count})

    async def _leave_finished(self) -> None:
        """Hand the events of turns that are over to the other processes, as far as they are kept here."""
        if self._membership is not None:
            finished = list(self._local.finished.newest(max_bytes=LEFT_BYTES))
            try:
                await self._remote.leave(finished, kept_s=self._resources.settings.turn_retention_s)
            except StorageError as error:
                log.warning("the events of finished turns are lost to their readers", extra={"code": error.code})

    async def _leave_new_turns(self) -> None:
        """Publish to the other processes that this one takes no new turns; it takes none where that fails, either."""
        if self._membership is not None:
            try:
                await self._membership.drain()
            except StorageError as error:
                log.warning("others cannot be told that this process drains", extra={"code": error.code})

    def _check_running(self) -> None:
        if self._is_draining:
            raise ShuttingDown("the server is stopping and takes no new turns; send again in a moment")
        self._check_read()
        if self._membership is not None and (problem := self._membership.problem) is not None:
            raise StorageUnavailable(f"{problem}; send again in a moment")

    def _check_read(self) -> None:
        """Refuse what rests on what could not be read yet. Raises ``StorageUnavailable``."""
        if self._unread_because is not None:
            raise StorageUnavailable(
                f"the storage could not be read since the start: {self._unread_because}"
            ) from self._unread_because

    async def _read_what_was_left(self) -> None:
        """Read what turns rest on, and bring in what a crash left. Raises ``StorageUnavailable``."""
        self._secret = await derivation_secret(self._resources.storage)
        ledger = self._resources.ledger
        ledger.start(await self._taking_over.begin())
        if self._background_completions is not None:
            self._background_completions.open(ledger, self._resources.llm)
        self._unread_because = None

    async def _read_later(self) -> None:
        pause_s = FIRST_PAUSE_S
        while self._unread_because is not None:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            try:
                await self._read_what_was_left()
            except StorageUnavailable as error:
                self._unread_because = error
        log.warning("the storage can be reached; turns begin")

    async def _prune_prompts(self) -> None:
        while True:
            try:
                await self._resources.prompt_records.prune()
            except StorageError as error:
                log.warning("old explanations of prompts cannot be removed yet", extra={"code": error.code})
            await asyncio.sleep(PRUNE_EVERY_S)

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(FAR_EVERY_S if self._resources.storage.is_far else EVERY_S)
            if self._unread_because is not None:
                continue
            self._local.finished.sweep()
            stops = await self._turns.save(await self._local.grown())
            for turn_id, state in stops.items():
                if (run := self._local.running.get(turn_id)) is not None:
                    run.stop(state)
            await self._resources.unstored.flush_all()
            await self._taking_over.go_on()
