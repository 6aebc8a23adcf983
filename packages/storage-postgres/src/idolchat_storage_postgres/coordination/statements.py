"""The statements of turns: entering, beginning and ending, many turns at once, each for itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import count
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

import asyncpg
from pydantic_core import from_json

from idolchat_core import OnBusy
from idolchat_storage_postgres.batch import BatchedStatement
from idolchat_storage_postgres.conversations import COLUMNS, PAGE, PAGE_START, VALUES, columns, given
from idolchat_storage_postgres.database import Connection
from idolchat_storage_postgres.logs import lock_of
from idolchat_storage_postgres.rows import ConversationRow, MessageRow

__all__ = [
    "ENTER",
    "PAGE_SIZE",
    "STEP",
    "Ahead",
    "Appended",
    "Created",
    "Enter",
    "Entered",
    "Outcome",
    "Save",
    "Step",
    "Taken",
    "save",
]

PAGE_SIZE = 64
"""Messages that are given with a conflict: as many as a history begins with."""
APART_S = 0.01
"""How long after the beginning of a statement the next one begins, where several steps have come together.

Measured with a quick disk, CPU of server and database together: among 64 clients a turn took 0.98 ms with 5 ms between
statements, 0.93 with 10, 0.91 with 15 and 0.94 with 25; with two workers 1.28, 1.18, 1.20 and 1.13. Among 16 clients it
took 1.05, 1.09, 1.11 and 1.15, and a turn that a quick model answers 15, 20, 30 and 50 ms. What others read of it comes
by the bus, which has its own connection.
"""
SPENDING = "spending"
"""The namespace of the ledger's logs."""


class Ahead(NamedTuple):
    """A turn that has a place before another one."""

    turn_id: UUID
    inbox: str
    has_begun: bool


class Enter(NamedTuple):
    """A turn that is to take a place; see ``TurnStore.enter``."""

    conversation_id: UUID
    turn_id: UUID
    instance_id: UUID
    on_busy: OnBusy
    max_waiting: int


class Entered(NamedTuple):
    """What became of it: ``entered``, ``known here``, ``known``, ``dead``, ``busy`` or ``full``; and who is ahead.

    ``version`` is that of the conversation, None where there is none.
    """

    result: str
    ahead: Sequence[Ahead]
    version: int | None


class Created(NamedTuple):
    """A conversation that a turn begins; ``version`` is one that nobody else chooses."""

    row: ConversationRow
    messages: Sequence[MessageRow]
    version: int


class Appended(NamedTuple):
    """Messages that a turn adds; see ``NewMessages``."""

    messages: Sequence[MessageRow]
    expected_count: int
    updated_at: datetime
    head: str | None
    expected_version: int | None
    may_follow: bool


class Step(NamedTuple):
    """A turn that begins or ends: what is written with it, and lines of the ledger for the log of this name.

    ``turn`` is what is kept of a turn that begins, as JSON; one that ends has none. One that ``enters`` has no place
    yet, and gets one where nobody else has one in its conversation.
    """

    conversation_id: UUID
    turn_id: UUID
    instance_id: UUID
    turn: str | None
    write: Created | Appended | None
    log: str | None
    lines: bytes
    enters: bool = False


class Outcome(StrEnum):
    """What became of a step.

    ``TAKEN``: the turn has no place here, and gets none. ``AGAIN``: it was done before. ``CONFLICT``: the conversation
    is not as was expected, and nothing was done.
    """

    DONE = "done"
    TAKEN = "taken"
    AGAIN = "again"
    CONFLICT = "conflict"


class Taken(NamedTuple):
    """The outcome of a step, and the version that the conversation has where something was written.

    ``now`` is a row as ``READ_PAGE`` gives. Of a conflict: the newest messages, as the statement saw them. Of what was
    put behind the messages of others: those, as they were before.
    """

    outcome: Outcome
    version: int | None
    now: asyncpg.Record | None = None


class Save(NamedTuple):
    """A reply so far, as JSON."""

    conversation_id: UUID
    turn_id: UUID
    turn: str


_CREATED_TYPES = (
    "uuid",
    "text",
    "text",
    "json",
    "timestamptz",
    "timestamptz",
    "text",
    "int",
    "bigint",
    "json",
)
_ORDER = itemgetter("o")
_ENTER = "select * from idolchat.enter_turns($1, $2, $3, $4, $5, $6)"


def _step(*, enters: bool, creates: bool) -> str:
    """Write the statement; what it need not do is left out, for that takes time, too."""
    numbers = count(22)
    coming = from_coming = entered = made = written_made = ""
    if enters:
        arrays = f"${next(numbers)}::int[], ${next(numbers)}::uuid[], ${next(numbers)}::uuid[]"
        coming = f"""
room as materialized (select x.o from idolchat.unoccupied({arrays}) x(o)),
coming as (
  select ops.*, null::bigint as place, false as has_begun from ops join room using (o)
  where exists (select from idolchat.instances i where i.id = ops.instance_id)),"""  # noqa: S608 - our names
        from_coming = " union all select * from coming"
        entered = """
entered as (
  insert into idolchat.turns (conversation_id, turn_id, instance_id, has_begun, turn)
  select conversation_id, turn_id, instance_id, true, turn from done where place is null),"""
    if creates:
        arrays = ", ".join(f"${next(numbers)}::{one}[]" for one in _CREATED_TYPES)
        made = f"""
made as (
  insert into idolchat.conversations ({COLUMNS})
  select {VALUES} from unnest({arrays})
    x(id, user_id, character_id, groups, created_at, updated_at, head, count, version, rest)
  where exists (select from free where free.conversation_id = x.id)
  on conflict (id) do nothing returning id, version, user_id, character_id),"""  # noqa: S608 - our names
        written_made = """
  union all
  select o, 0, made.version, made.user_id, made.character_id from free join made on id = conversation_id"""
    return f"""
with ops as (
  select * from unnest($1::int[], $2::uuid[], $3::uuid[], $4::uuid[], $5::json[], $6::text[], $7::bytea[], $8::int[],
      $9::int[], $10::bigint[], $11::timestamptz[], $12::text[], $13::bool[])
    x(o, conversation_id, turn_id, instance_id, turn, log, lines, expected, added, version, at, head, may_follow)),
  {coming}
mine as (
  select ops.*, t.place, t.has_begun from ops join idolchat.turns t using (conversation_id, turn_id)
  where t.instance_id = ops.instance_id for update of t),
free as (select * from mine where turn is null or not has_begun{from_coming}),{made}
-- Behind what it is put that others have added: what this sees, and no later state, in which it would not have looked.
behind as (
  select free.o, c.count, c.version from free join idolchat.conversations c on c.id = free.conversation_id
  where free.may_follow and c.version <> free.version and c.rewritten <= free.version and c.head is null
    and c.group_ids is null and c.updated_at <= free.at and c.count > free.expected
    and idolchat.may_follow(c.id, free.expected, c.count, free.turn_id)),
grown as (
  update idolchat.conversations c
  set count = c.count + placed.added, version = c.version + 1, updated_at = placed.at, head = placed.head,
    changed = pg_current_xact_id()
  from (
    select o, conversation_id, added, at, head, coalesce(behind.count, expected) as position,
      coalesce(behind.version, free.version) as version
    from free left join behind using (o)) placed
  where c.id = placed.conversation_id and c.count = placed.position
    and (placed.version is null or c.version = placed.version)
  returning placed.o, placed.position, c.version, c.user_id, c.character_id),
written as (
  select o, position, version, user_id, character_id from grown
  union all select o, 0, null, null, null from free where added is null{written_made}),
done as (
  select o, free.conversation_id, free.turn_id, free.instance_id, free.place, free.has_begun, free.turn,
    written.position, written.version, written.user_id, written.character_id
  from free join written using (o)),
said as (
  insert into idolchat.messages (conversation_id, position, id, turn_id, at, user_id, character_id, line, words)
  select done.conversation_id, done.position + m.n, m.id, m.turn_id, m.at, done.user_id, done.character_id, m.line,
    m.words::tsvector
  from unnest($14::int[], $15::int[], $16::text[], $17::uuid[], $18::timestamptz[], $19::json[], $20::text[])
    m(o, n, id, turn_id, at, line, words)
  join done using (o)),
gate as materialized (select count(pg_advisory_xact_lock_shared(k)) from unnest($21::bigint[]) x(k)),
logged as (
  insert into idolchat.log_lines (namespace, name, lines)
  select '{SPENDING}', x.log, x.lines from gate, (
    select ops.log, string_agg(ops.lines, ''::bytea order by ops.o) as lines
    from ops join done using (o) where ops.lines is not null group by ops.log) x),{entered}
begun as (
  update idolchat.turns t set has_begun = true, turn = done.turn from done
  where done.turn is not null and t.conversation_id = done.conversation_id and t.place = done.place),
ended as (
  delete from idolchat.turns t using done
  where done.turn is null and t.conversation_id = done.conversation_id and t.place = done.place),
followed as (
  update idolchat.turns t set follows_begun = true from done
  where done.turn is null and done.has_begun and t.conversation_id = done.conversation_id and t.place > done.place)
select ops.o, done.version as written, case
  when done.o is not null then 'done' when free.o is not null then 'conflict' when mine.o is not null then 'again'
  else 'taken' end as outcome, now.*
from ops left join mine using (o) left join free using (o) left join done using (o)
  left join lateral (
    select {PAGE}
    from (select {PAGE_SIZE}, {2**31 - 1}, ops.expected, ops.version) a(most, before, known, version)
      join idolchat.conversations c on c.id = case -- null, and not looked for, where nothing is to be told
        when done.o is null and free.o is not null or done.position > ops.expected then ops.conversation_id end
      {PAGE_START}) now on true
"""  # noqa: S608 - our names


_STEPS = {
    (enters, creates): _step(enters=enters, creates=creates) for enters in (False, True) for creates in (False, True)
}

_SAVE = """
with saved as (
  update idolchat.turns t set turn = x.turn
  from unnest($2::uuid[], $3::uuid[], $4::json[]) x(conversation_id, turn_id, turn)
  where t.conversation_id = x.conversation_id and t.turn_id = x.turn_id and t.instance_id = $1)
select turn_id, stop_as from idolchat.turns where instance_id = $1 and stop_as is not null
"""


async def _enter(connection: Connection, operations: Sequence[Enter]) -> Sequence[Entered]:
    given = [
        (
            one.conversation_id,
            one.turn_id,
            one.instance_id,
            one.on_busy is OnBusy.REJECT,
            one.on_busy in (OnBusy.INTERRUPT, OnBusy.ROLLBACK),
            one.max_waiting,
        )
        for one in operations
    ]
    rows = await connection.fetch(_ENTER, *columns(given, 6))
    return [Entered(row["result"], _ahead(row["ahead"]), row["version"]) for row in sorted(rows, key=_ORDER)]


def _ahead(text: str | None) -> Sequence[Ahead]:
    return [Ahead(UUID(turn_id), inbox, has_begun) for turn_id, inbox, has_begun in from_json(text)] if text else ()


async def _take_steps(connection: Connection, steps: Sequence[Step]) -> Sequence[Taken]:
    ops = [(o, *step[:4], step.log, step.lines or None, *_appending(step.write)) for o, step in enumerate(steps)]
    messages = [
        (o, n, *message)
        for o, step in enumerate(steps)
        if step.write is not None
        for n, message in enumerate(step.write.messages)
    ]
    logs = {step.log for step in steps if step.log is not None and step.lines}
    parts = [*columns(ops, 13), *columns(messages, 7), sorted(lock_of(SPENDING, log) for log in logs)]
    writes = [step.write for step in steps]
    created = [given(one.row, len(one.messages), one.version) for one in writes if isinstance(one, Created)]
    entering = [(o, step.conversation_id, step.turn_id) for o, step in enumerate(steps) if step.enters]
    if entering:
        parts += columns(entering, 3)
    if created:
        parts += columns(created, len(_CREATED_TYPES))
    rows = await connection.fetch(_STEPS[bool(entering), bool(created)], *parts)
    return [_taken(row) for row in sorted(rows, key=_ORDER)]


def _taken(row: asyncpg.Record) -> Taken:
    outcome = Outcome(row["outcome"])
    return Taken(outcome, row["written"], row if row["id"] is not None else None)


def _appending(write: Created | Appended | None) -> tuple[object, ...]:
    """Return what is expected, added, its version, time and head, and whether it may follow others."""
    if isinstance(write, Appended):
        count, version = len(write.messages), write.expected_version
        return write.expected_count, count, version, write.updated_at, write.head, write.may_follow
    return None, None if write is None else len(write.messages), None, None, None, False


def _apart[O: (Enter, Step), R](
    run: Callable[[Connection, Sequence[O]], Awaitable[Sequence[R]]],
) -> Callable[[Connection, Sequence[O]], Awaitable[Sequence[R | Exception]]]:
    """Run operations on one conversation one after the other, in the order of the calls."""

    async def run_apart(connection: Connection, operations: Sequence[O]) -> Sequence[R | Exception]:
        results: dict[int, R] = {}
        left = list(enumerate(operations))
        while left:
            first: dict[int, tuple[int, O]] = {}
            # In the order of ids, so that two statements do not wait for each other. As numbers, they take no call.
            rest = [each for each in left if first.setdefault(each[1].conversation_id.int, each) is not each]
            chosen = [first[number] for number in sorted(first)]
            done = await run(connection, [one for _, one in chosen])
            results |= {number: result for (number, _), result in zip(chosen, done, strict=True)}
            left = rest
        return [results[number] for number in range(len(operations))]

    return run_apart


def _size_of(step: Step) -> int:
    return sum([len(message.line) for message in step.write.messages]) if step.write is not None else 0


ENTER: BatchedStatement[Enter, Entered] = BatchedStatement(_apart(_enter))
STEP: BatchedStatement[Step, Taken] = BatchedStatement(
    _apart(_take_steps), size_of=_size_of, expires=True, apart_s=APART_S
)


async def save(connection: Connection, instance_id: UUID, turns: Sequence[Save]) -> Mapping[UUID, str]:
    """Keep replies so far, and return which turns of an instance are to stop, and as what."""
    # In the order of ids, as turns begin and end, so that neither waits for the other.
    in_order = sorted(turns, key=lambda turn: turn.conversation_id.int)
    rows = await connection.fetch(_SAVE, instance_id, *columns(in_order, 3))
    return {row["turn_id"]: row["stop_as"] for row in rows}
