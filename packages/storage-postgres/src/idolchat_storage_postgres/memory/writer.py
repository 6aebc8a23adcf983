"""Writing one conversation: where its messages lie, and what is kept with them.

The places of a conversation follow from its messages alone. Whatever changes it keeps the places before the first
difference, takes away those behind, and appends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from idolchat_core import PLACES_PER_SESSION, SESSION_GAP_S, MemoryMessage, TextAnalysis
from idolchat_storage_postgres.conversations import columns
from idolchat_storage_postgres.database import Connection
from idolchat_storage_postgres.memory.values import (
    MESSAGE,
    message_columns,
    message_of,
    weights_of,
)

__all__ = ["ConversationWriter"]

_GAP = timedelta(seconds=SESSION_GAP_S)
_SESSIONS = """
select number, message_count, length, first_at, last_at from idolchat.memory_sessions
where scope = $1 and conversation = $2 order by number"""
_SESSION_BEFORE = """
select number, message_count, length, first_at, last_at from idolchat.memory_sessions
where scope = $1 and conversation = $2 and number < $3 order by number desc limit 1"""
_NO_NUMBER = 2**63 - 1
_MESSAGES = f"""
select place, {MESSAGE} from idolchat.memory_messages where scope = $1 and place >= $2 and place < $3 order by place
"""  # noqa: S608 - our names
_NEWEST = f"select {MESSAGE} from idolchat.memory_messages where scope = $1 and place = $2"  # noqa: S608 - our names
_BEGIN_SESSION = """
insert into idolchat.memory_sessions (scope, conversation, message_count, length, first_at, last_at, encoded_count)
values ($1, $2, 0, 0, $3, $3, 0) returning number
"""
_ADD_MESSAGES = f"""
insert into idolchat.memory_messages (scope, place, {MESSAGE})
select $1::bigint, * from unnest($2::bigint[], $3::bytea[], $4::int[], $5::smallint[], $6::bytea[], $7::timestamptz[], $8::bytea[])
"""  # noqa: S608, E501 - our names
_ADD_POSTINGS = """
insert into idolchat.memory_postings (scope, term, place, weight)
select $1::bigint, * from unnest($2::bytea[], $3::bigint[], $4::int[])
"""
_REMOVE = "delete from idolchat.{table} where scope = $1 and place = any($2::bigint[])"
_REMOVE_POSTINGS = """
delete from idolchat.memory_postings p using unnest($2::bytea[], $3::bigint[]) x(term, place)
where p.scope = $1 and p.term = x.term and p.place = x.place
"""
_STORE = """
update idolchat.memory_sessions s set message_count = x.message_count, length = x.length, first_at = x.first_at,
  last_at = x.last_at, encoded_count = least(s.encoded_count, x.message_count)
from unnest($1::bigint[], $2::int[], $3::bigint[], $4::timestamptz[], $5::timestamptz[])
  x(number, message_count, length, first_at, last_at)
where s.number = x.number
"""
_COUNT = """
update idolchat.memory_scopes set message_count = message_count + $2, session_count = session_count + $3,
  length = length + $4 where number = $1
"""


class _Session(NamedTuple):
    number: int
    message_count: int
    length: int
    first_at: datetime
    last_at: datetime

    def with_message(self, said_at: datetime, length: int) -> _Session:
        first_at, last_at = min(self.first_at, said_at), max(self.last_at, said_at)
        return _Session(self.number, self.message_count + 1, self.length + length, first_at, last_at)

    @property
    def first_place(self) -> int:
        return self.number * PLACES_PER_SESSION


type _Placed = tuple[int, MemoryMessage]


class ConversationWriter:
    """Writes one conversation of one scope, within a transaction that somebody else began."""

    def __init__(self, connection: Connection, scope: int, conversation: int, analysis: TextAnalysis) -> None:
        self._connection = connection
        self._scope = scope
        self._conversation = conversation
        self._analysis = analysis

    async def newest(self) -> MemoryMessage | None:
        """Read the last message."""
        session = await self._session_before(_NO_NUMBER)
        if session is None:
            return None
        place = session.first_place + session.message_count - 1
        row = await self._connection.fetchrow(_NEWEST, self._scope, place)
        return message_of(tuple(row)) if row is not None else None

    async def append(self, messages: Sequence[MemoryMessage]) -> None:
        """Add messages at the end."""
        if not messages:
            return
        session, before = await self._session_before(_NO_NUMBER), await self.newest()
        touched: dict[int, _Session] = {}
        rows, postings = [], []
        sessions = length_of_all = 0
        for message in messages:
            if session is None or message.said_at - session.last_at > _GAP or _is_full(session):
                session, before = await self._begin_session(message.said_at), None
                sessions += 1
            place = session.first_place + session.message_count
            rows.append((place, *message_columns(message, before)))
            length, weights = weights_of(self._analysis, message.text)
            postings += [(term, place, weight) for term, weight in weights.items()]
            session, before = session.with_message(message.said_at, length), message
            touched[session.number] = session
            length_of_all += length
        await self._connection.execute(_ADD_MESSAGES, self._scope, *columns(rows, 7))
        # In the order of their key: many at once lie closer, and are written faster.
        await self._connection.execute(_ADD_POSTINGS, self._scope, *columns(sorted(postings), 3))
        await self._store(list(touched.values()))
        await self._count(messages=len(messages), sessions=sessions, length=length_of_all)

    async def lay_out(self, messages: Sequence[MemoryMessage]) -> None:
        """Make the conversation consist of these messages."""
        there = [found for session in await self._sessions() for found in await self._messages_in(session)]
        same = 0
        while same < min(len(there), len(messages)) and there[same][1] == messages[same]:
            same += 1
        await self._remove(there[same:])
        await self.append(messages[same:])

    async def go_on(self, after: str, messages: Sequence[MemoryMessage]) -> bool:
        """Put messages in place of what follows one; return False where that is unknown."""
        behind: list[_Placed] = []
        session = await self._session_before(_NO_NUMBER)
        while session is not None:
            there = await self._messages_in(session)
            at = next((at for at, (_, message) in enumerate(there) if message.message_id == after), None)
            behind[:0] = there if at is None else there[at + 1 :]
            if at is not None:
                await self._remove(behind)
                await self.append(messages)
                return True
            session = await self._session_before(session.number)
        return False

    async def _sessions(self) -> list[_Session]:
        rows = await self._connection.fetch(_SESSIONS, self._scope, self._conversation)
        return [_Session(*row) for row in rows]

    async def _session_before(self, number: int) -> _Session | None:
        row = await self._connection.fetchrow(_SESSION_BEFORE, self._scope, self._conversation, number)
        return _Session(*row) if row is not None else None

    async def _messages_in(self, session: _Session) -> list[_Placed]:
        first = session.first_place
        rows = await self._connection.fetch(_MESSAGES, self._scope, first, first + PLACES_PER_SESSION)
        return [(row[0], message_of(tuple(row)[1:])) for row in rows]

    async def _begin_session(self, said_at: datetime) -> _Session:
        number: int = await self._connection.fetchval(_BEGIN_SESSION, self._scope, self._conversation, said_at)
        return _Session(number, 0, 0, said_at, said_at)

    async def _remove(self, found: Sequence[_Placed]) -> None:
        """Remove messages from the end of the branch."""
        if not found:
            return
        places = [place for place, _ in found]
        for table in ("memory_messages", "memory_vectors"):
            await self._connection.execute(_REMOVE.format(table=table), self._scope, places)
        weighed = [(place, *weights_of(self._analysis, message.text)) for place, message in found]
        postings = [(term, place) for place, _, weights in weighed for term in weights]
        await self._connection.execute(_REMOVE_POSTINGS, self._scope, *columns(postings, 2))
        removed = Counter(place // PLACES_PER_SESSION for place in places)
        emptied = [session for session in await self._sessions() if session.number in removed]
        gone = await self._shorten(emptied)
        await self._count(messages=-len(found), sessions=-gone, length=-sum(length for _, length, _ in weighed))

    async def _shorten(self, sessions: Sequence[_Session]) -> int:
        """Count sessions anew, and return how many hold nothing any more, and are gone."""
        left, gone = [], []
        for session in sessions:
            rest = [message for _, message in await self._messages_in(session)]
            if not rest:
                gone.append(session.number)
                continue
            length = sum(weights_of(self._analysis, message.text)[0] for message in rest)
            times = [message.said_at for message in rest]
            left.append(_Session(session.number, len(rest), length, min(times), max(times)))
        await self._store(left)
        await self._connection.execute("delete from idolchat.memory_sessions where number = any($1)", gone)
        return len(gone)

    async def _store(self, sessions: Sequence[_Session]) -> None:
        await self._connection.execute(_STORE, *columns(sessions, 5))

    async def _count(self, *, messages: int, sessions: int, length: int) -> None:
        await self._connection.execute(_COUNT, self._scope, messages, sessions, length)


def _is_full(session: _Session) -> bool:
    return session.message_count == PLACES_PER_SESSION
