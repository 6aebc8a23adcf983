"""Who runs a turn in each conversation and who waits, in the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from idolchat_core import (
    AlreadyEntered,
    Conversation,
    ConversationBusy,
    ConversationExists,
    ConversationNotFound,
    MeteredCall,
    NewMessages,
    Occupant,
    OnBusy,
    QueueFull,
    StorageConflict,
    StorageError,
    StorageUnavailable,
    TurnsAhead,
    TurnState,
    TurnStore,
    UnfinishedTurn,
)
from idolchat_storage_postgres.batch import Batches
from idolchat_storage_postgres.conversations import READ_PAGE, ReadPage
from idolchat_storage_postgres.coordination.member import Member
from idolchat_storage_postgres.coordination.statements import (
    ENTER,
    PAGE_SIZE,
    STEP,
    Enter,
    Entered,
    Outcome,
    Save,
    Step,
    save,
)
from idolchat_storage_postgres.coordination.waiting import WaitingTurns, taken_over, why_lost
from idolchat_storage_postgres.coordination.writes import (
    Write,
    expected_version,
    is_outdated,
    page_of,
    revision_of,
    rows_of,
)
from idolchat_storage_postgres.database import Connection, Database
from idolchat_storage_postgres.rows import plain_uuid

__all__ = ["PostgresTurns"]

log = logging.getLogger(__name__)

BUSY_RETRY_S = 1.0
SAVE_WITHIN_S = 2.0
CLEAN_EVERY_S = 60.0
ORPHANS_EVERY_S = 2.0
"""How often it is looked for turns that were left by those who are gone."""
LEFT_OVER_S = 5.0
"""How long it is looked at each call after one has died: a row that a statement holds is passed over."""

_OCCUPANT = """
select t.turn_id, t.conversation_id, coalesce(i.inbox, '') as inbox, t.has_begun,
  exists (select from idolchat.turns a where a.conversation_id = t.conversation_id and a.place < t.place) as is_waiting
from idolchat.turns t left join idolchat.instances i on i.id = t.instance_id
"""
_FIND = _OCCUPANT + "where t.turn_id = $1"
_OF_CONVERSATION = _OCCUPANT + "where t.conversation_id = $1 order by t.place"
_STOPPED = """
with stopped as (update idolchat.turns set stop_as = coalesce(stop_as, $2) where turn_id = $1 returning turn_id)
"""
_STOP = _STOPPED + _OCCUPANT + "join stopped using (turn_id)"
_WAIT = """
update idolchat.turns set turn = $4 where conversation_id = $1 and turn_id = $2 and instance_id = $3 returning true
"""
_LINE = "select line::text from idolchat.messages where conversation_id = $1 and id = $2"
_BURY = """
with dead as (
  select id from idolchat.instances
  where seen_at < clock_timestamp() - make_interval(secs => $2) and id <> $1 order by id for update skip locked),
counted as (delete from idolchat.counted c using dead where c.instance_id = dead.id)
delete from idolchat.instances i using dead where i.id = dead.id returning i.id, i.address
"""
# Turns whose place has not come stay until those before them, which are of the living, have ended.
_ADOPT = """
with mine as (select id from idolchat.instances where id = $1),
left_over as (
  select t.conversation_id, t.place from idolchat.turns t, mine
  where not exists (select from idolchat.instances i where i.id = t.instance_id)
    and not exists (
      select from idolchat.turns a join idolchat.instances i on i.id = a.instance_id
      where a.conversation_id = t.conversation_id and a.place < t.place)
  order by t.conversation_id, t.place for update of t skip locked),
gone as (
  delete from idolchat.turns t using left_over l
  where t.conversation_id = l.conversation_id and t.place = l.place and t.turn is null),
adopted as (
  update idolchat.turns t set instance_id = $1 from left_over l
  where t.conversation_id = l.conversation_id and t.place = l.place and t.turn is not null
  returning t.conversation_id, t.place, t.turn_id, t.turn)
select turn_id, conversation_id, turn::text as turn from adopted order by conversation_id, place
"""
_PEERS = """
select inbox from idolchat.instances
where inbox <> $1 and seen_at > clock_timestamp() - make_interval(secs => $2) order by started_at desc
"""
_LEAVE_EVENTS = """
with old as (delete from idolchat.finished where until < clock_timestamp())
insert into idolchat.finished (turn_id, events, until)
select x.turn_id, x.events, clock_timestamp() + make_interval(secs => $3)
from unnest($1::uuid[], $2::bytea[]) x(turn_id, events) on conflict do nothing
"""
_LEFT_EVENTS = "select events from idolchat.finished where turn_id = $1 and until > clock_timestamp()"
_CLEAN = """
with counted as (
  delete from idolchat.counted c where not exists (select from idolchat.instances i where i.id = c.instance_id))
delete from idolchat.finished where until < clock_timestamp()
"""
_KEPT = "select turn_id, turn::text as turn from idolchat.turns where turn is not null"
_FORGET = "delete from idolchat.turns where turn_id = any($1) returning turn_id"


class PostgresTurns(TurnStore):
    """The turns of all processes that serve one database, as one of them sees them.

    What ``durable`` has written waits for the disk, what ``relaxed`` has may be lost with the machine; conversations
    are read by ``reading``.
    """

    def __init__(self, database: Database, *, durable: Batches, relaxed: Batches, reading: Batches) -> None:
        self._database = database
        self._durable, self._relaxed, self._reading = durable, relaxed, reading
        self._saving = database.session(waits_for_disk=False, by_key=True)
        self._conversations: dict[UUID, UUID] = {}
        """Of the turns that have a place here."""
        self._entering: dict[UUID, Enter] = {}
        """Turns that get their places as they begin."""
        self._versions: dict[UUID, int | None] = {}
        """Of the conversations of turns that may begin, as they were then; nobody else's turn changes them since."""
        self._waiting = WaitingTurns(database, instance_id=lambda: self._member.instance_id, on_lost=self._lose)
        self._lost: set[UUID] = set()
        self._to_end: dict[UUID, Step] = {}
        """What has no place any more as far as this process is concerned, and could not be removed yet."""
        self._member: Member
        self._look_for_orphans_at = self._left_over_until = 0.0
        self._clean_at = asyncio.get_running_loop().time() + CLEAN_EVERY_S
        self.taken_over = 0

    def join(self, member: Member) -> None:
        """Set which of the processes this one is."""
        self._member = member

    def expelled(self) -> None:
        """Drop the turns that others have taken over."""
        self._lost |= self._conversations.keys()
        self._conversations.clear()
        self._versions.clear()
        self._waiting.fail()

    def _lose(self, turn_id: UUID) -> None:
        self._conversations.pop(turn_id, None)

    async def enter(
        self, conversation_id: UUID, turn_id: UUID, *, on_busy: OnBusy, max_waiting: int, begins_at_once: bool = False
    ) -> Sequence[Occupant]:
        entering = Enter(conversation_id, turn_id, self._member.instance_id, on_busy, max_waiting)
        if begins_at_once:
            self._entering[turn_id] = entering
            return ()
        return await self._enter(entering)

    async def _enter(self, entering: Enter) -> Sequence[Occupant]:
        conversation_id, turn_id, instance_id, _, max_waiting = entering
        try:
            entered = await self._relaxed.ask(ENTER, entering)
        except BaseException:
            if turn_id not in self._conversations:  # it may have its place all the same
                self._to_end[turn_id] = Step(conversation_id, turn_id, instance_id, None, None, None, b"")
            raise
        is_here = turn_id in self._conversations
        if entered.result == "entered" or (entered.result == "known here" and not is_here):  # its answer was lost
            if instance_id != self._member.instance_id:
                raise StorageUnavailable("this process was taken for dead meanwhile; send again in a moment")
            self._conversations[turn_id] = conversation_id
            if not entered.ahead:
                self._versions[turn_id] = entered.version
            return [
                Occupant(ahead.turn_id, conversation_id, ahead.inbox, bool(number), ahead.has_begun)
                for number, ahead in enumerate(entered.ahead)
            ]
        raise await self._refused(entered, conversation_id, turn_id, max_waiting)

    async def _refused(self, entered: Entered, conversation_id: UUID, turn_id: UUID, max_waiting: int) -> Exception:
        if entered.result in ("known", "known here"):
            occupant = await self.find(turn_id)
            return AlreadyEntered(occupant or Occupant(turn_id, conversation_id, "", False, False))
        if entered.result == "busy":
            return ConversationBusy(
                f"a turn is running in conversation {conversation_id}; wait for it, cancel it, or send with"
                " on_busy enqueue, interrupt or rollback"
            )
        if entered.result == "full":
            return QueueFull(
                f"{max_waiting} turns wait in conversation {conversation_id} already, which is the most",
                retry_after_s=BUSY_RETRY_S,
            )
        return StorageUnavailable("this process has yet to join those that serve the database; send again in a moment")

    async def wait(self, turn: UnfinishedTurn) -> None:
        given = (turn.conversation_id, turn.turn_id, self._member.instance_id, _written(turn))
        if not await self._database.fetchval(_WAIT, *given):
            raise taken_over(turn.turn_id)

    async def reached(self, conversation_id: UUID, turn_id: UUID) -> bool:
        if self._conversations.get(turn_id) != conversation_id:
            raise taken_over(turn_id)
        return await self._waiting.reached(turn_id)

    def look_again(self) -> None:
        self._waiting.look_again()

    async def peers(self) -> Sequence[str]:
        rows = await self._database.fetch(_PEERS, self._member.inbox, self._member.timing.doubt_s)
        return [row["inbox"] for row in rows]

    async def leave_events(self, events: Mapping[UUID, bytes], *, kept_s: float) -> None:
        try:
            await self._database.fetch(_LEAVE_EVENTS, list(events), list(events.values()), kept_s)
        except StorageUnavailable as error:
            log.warning("the events of finished turns are lost to their readers", extra={"reason": str(error)})

    async def left_events(self, turn_id: UUID) -> bytes | None:
        events: bytes | None = await self._database.fetchval(_LEFT_EVENTS, turn_id)
        return events

    async def hand_over(self) -> None:
        await self._waiting.hand_over()

    async def begin(
        self,
        conversation_id: UUID,
        turn_id: UUID,
        write: Write | None,
        *,
        call: MeteredCall,
        describe: Callable[[], UnfinishedTurn],
        is_kept: bool = False,
    ) -> str | None:
        rows = await rows_of(write)
        lines = call.take_lines()
        log_name = call.facts.log if call.facts is not None else None
        instance_id = self._member.instance_id
        step = Step(conversation_id, turn_id, instance_id, _written(describe()), rows, log_name, lines)
        try:
            if (entering := self._entering.pop(turn_id, None)) is None:
                return await self._begin(step, write)
            return await self._enter_and_begin(entering._replace(instance_id=instance_id), step, write)
        except BaseException:
            call.give_back()
            raise

    async def _begin(self, step: Step, write: Write | None) -> str | None:
        if write is not None and is_outdated(write, self._versions.pop(step.turn_id, None)):
            raise await self._conflict(step.conversation_id, write)
        return await self._take(step, write)

    async def _enter_and_begin(self, entering: Enter, step: Step, write: Write | None) -> str | None:
        """Begin a turn that has no place yet where nobody else has one; else give it one behind the others."""
        if write is not None:
            self._conversations[step.turn_id] = step.conversation_id  # from now on it may have its place
            taken = await self._durable.ask(STEP, step._replace(enters=True))
            if taken.outcome is Outcome.CONFLICT:
                self._conversations.pop(step.turn_id, None)
                self._entering[step.turn_id] = entering
                raise await self._conflict(step.conversation_id, write, taken.now)
            if taken.outcome is not Outcome.TAKEN:
                return await revision_of(taken, write)
            self._conversations.pop(step.turn_id, None)
        if ahead := await self._enter(entering):
            raise TurnsAhead(ahead)
        return await self._begin(step, write)

    async def end(
        self,
        conversation_id: UUID,
        turn_id: UUID,
        write: Write | None = None,
        *,
        call: MeteredCall | None = None,
    ) -> str | None:
        if self._entering.pop(turn_id, None) is not None and write is None:
            return None  # nobody knows of it
        rows = await rows_of(write)
        lines = call.take_lines() if call is not None else b""
        log_name = call.facts.log if call is not None and call.facts is not None else None
        step = Step(conversation_id, turn_id, self._member.instance_id, None, rows, log_name, lines)
        try:
            revision = await self._take(step, write)
        except BaseException as error:
            if call is not None:
                call.give_back()
            if write is None and isinstance(error, StorageUnavailable):
                self._to_end[turn_id] = step
                log.warning("that a turn is over cannot be written yet", extra={"turn_id": str(turn_id)})
                return None
            raise
        self._conversations.pop(turn_id, None)
        self._versions.pop(turn_id, None)
        self._waiting.look_again()
        return revision

    async def _take(self, step: Step, write: Write | None) -> str | None:
        taken = await self._durable.ask(STEP, step)
        if taken.outcome is Outcome.DONE:
            return await revision_of(taken, write)
        if taken.outcome is Outcome.CONFLICT and write is not None:
            raise await self._conflict(step.conversation_id, write, taken.now)
        begins = step.turn is not None
        if taken.outcome is Outcome.TAKEN and (begins or not await self._is_stored(step)):
            is_told = begins or write is not None
            was_here = step.turn_id in self._conversations
            lost = await why_lost(self._database, step.turn_id, step.instance_id) if is_told and was_here else None
            self._conversations.pop(step.turn_id, None)
            if is_told:
                raise lost or taken_over(step.turn_id)
        return None

    async def _is_stored(self, step: Step) -> bool:
        """Whether what was to be written is there: it was done before, and the answer was lost."""
        if step.write is None or not step.write.messages:
            return False
        last = step.write.messages[-1]
        return bool(await self._database.fetchval(_LINE, step.conversation_id, last.id) == last.line)

    async def _conflict(self, conversation_id: UUID, write: Write, row: asyncpg.Record | None = None) -> StorageError:
        """Return why something was not written, with the messages that the writer does not know.

        ``row`` is how the conversation was when the statement began, which may have waited for another one.
        """
        page = ReadPage(conversation_id, PAGE_SIZE)
        if isinstance(write, NewMessages):
            page = page._replace(known=write.expected_count, version=expected_version(write))
        if row is None or row["version"] == page.version:
            row = await self._reading.ask(READ_PAGE, page)
        if row is None:
            return ConversationNotFound(f"there is no conversation {conversation_id}")
        now = await page_of(row)
        if isinstance(write, Conversation):
            return ConversationExists(f"there is a conversation {conversation_id} already", page=now)
        return StorageConflict(
            f"conversation {conversation_id} has {now.total} messages and revision {now.revision}, not"
            f" {write.expected_count} and {write.expected_revision}",
            actual_count=now.total,
            page=now,
            is_added=row["is_added"],
        )

    async def save(self, turns: Sequence[UnfinishedTurn]) -> Mapping[UUID, TurnState]:
        lost, self._lost = self._lost, set()
        stops = dict.fromkeys(lost, TurnState.INTERRUPTED)
        if self._member.is_cut_off:  # the others may go on with them by now
            return stops | dict.fromkeys(self._conversations, TurnState.INTERRUPTED)
        if self._to_end:
            await self._end_left_over()
        if not self._conversations:
            return stops
        grown = [
            Save(turn.conversation_id, turn.turn_id, _written(turn))
            for turn in turns
            if turn.turn_id in self._conversations
        ]
        instance_id = self._member.instance_id
        try:
            async with asyncio.timeout(SAVE_WITHIN_S):
                found = await self._database.run(
                    lambda connection: save(connection, instance_id, grown), session=self._saving, patience_s=0
                )
        except (StorageUnavailable, TimeoutError) as error:
            log.warning("running replies cannot be saved", extra={"error": type(error).__name__})
            return stops
        return stops | {turn_id: TurnState(state) for turn_id, state in found.items()}

    async def _end_left_over(self) -> None:
        for turn_id, step in list(self._to_end.items()):
            try:
                await self._durable.ask(STEP, step)
            except StorageUnavailable:
                return
            self._conversations.pop(turn_id, None)
            self._versions.pop(turn_id, None)
            del self._to_end[turn_id]
            self._waiting.look_again()

    async def postpone(self, conversation_id: UUID, turn_id: UUID) -> None:
        """Keep the row: it keeps others off, and ``end`` takes it away."""

    async def stop(self, turn_id: UUID, state: TurnState) -> Occupant | None:
        row = await self._database.fetchrow(_STOP, turn_id, state.value)
        return _occupant(row) if row is not None else None

    async def find(self, turn_id: UUID) -> Occupant | None:
        row = await self._database.fetchrow(_FIND, turn_id)
        return _occupant(row) if row is not None else None

    async def occupants(self, conversation_id: UUID) -> Sequence[Occupant]:
        return [_occupant(row) for row in await self._database.fetch(_OF_CONVERSATION, conversation_id)]

    async def take_over(self) -> Sequence[UnfinishedTurn]:
        member, now = self._member, asyncio.get_running_loop().time()
        if not member.may_judge:
            return ()
        instance_id = member.instance_id
        dead = await self._database.run(self._bury)
        for one in dead:
            log.warning("a process that serves the database has died", extra={"address": one["address"]})
        if dead:
            self._left_over_until = now + LEFT_OVER_S
        if now > self._left_over_until and now < self._look_for_orphans_at:
            return ()
        self._look_for_orphans_at = now + ORPHANS_EVERY_S
        if now >= self._clean_at:
            self._clean_at = now + CLEAN_EVERY_S
            await self._database.fetch(_CLEAN)
        turns = []
        for row in await self._database.fetch(_ADOPT, instance_id):
            self._conversations[row["turn_id"]] = row["conversation_id"]
            if (turn := _read(row["turn"])) is not None:
                turns.append(turn)
        self.taken_over += len(turns)
        return turns

    async def _bury(self, connection: Connection) -> list[asyncpg.Record]:
        """Remove those who are silent; judged at each try, for while the database is away all are."""
        if not self._member.may_judge:
            return []
        return await connection.fetch(_BURY, self._member.instance_id, self._member.timing.dead_s)

    async def forget(self, chosen: Callable[[UnfinishedTurn], bool]) -> int:
        kept = [turn for row in await self._database.fetch(_KEPT) if (turn := _read(row["turn"])) is not None]
        ids = [turn.turn_id for turn in kept if chosen(turn)]
        return len(await self._database.fetch(_FORGET, ids)) if ids else 0

    async def settled(self) -> None:
        """Nothing is kept of turns that have ended."""

    async def close(self) -> None:
        await self._waiting.close()
        await self._saving.close()


def _written(turn: UnfinishedTurn) -> str:
    return turn.model_dump_json(exclude_unset=True)


def _read(text: str) -> UnfinishedTurn | None:
    try:
        return UnfinishedTurn.model_validate_json(text)
    except ValidationError as error:
        log.error("an unfinished turn cannot be read", extra={"error": type(error).__name__})
        return None


def _occupant(row: asyncpg.Record) -> Occupant:
    ids = plain_uuid(row["turn_id"]), plain_uuid(row["conversation_id"])
    return Occupant(*ids, row["inbox"], row["is_waiting"], row["has_begun"])
