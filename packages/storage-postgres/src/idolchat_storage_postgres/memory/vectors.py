"""The token vectors of messages, and which messages wait for theirs."""

from __future__ import annotations

from collections.abc import Sequence

from idolchat_core import PLACES_PER_SESSION, Unencoded
from idolchat_storage_postgres.database import Connection
from idolchat_storage_postgres.memory.values import scope_key, scope_of, text_of, to_bytes

__all__ = ["put", "unencoded"]

_UNENCODED = f"""
select m.key, this.place, this.message_id, this.speaker, this.text, before.text as before
from idolchat.memory_sessions s
join idolchat.memory_messages this on this.scope = s.scope
  and this.place >= s.number * {PLACES_PER_SESSION} + s.encoded_count
  and this.place < (s.number + 1) * {PLACES_PER_SESSION}
join idolchat.memory_scopes m on m.number = this.scope
left join idolchat.memory_messages before on before.scope = this.scope and before.place = this.place - 1
  and this.place % {PLACES_PER_SESSION} > 0
where s.encoded_count < s.message_count order by s.number, this.place limit $1
"""  # noqa: S608 - our names
_PUT = """
with one as (
  update idolchat.memory_sessions s set encoded_count = encoded_count + 1
  from idolchat.memory_scopes m, idolchat.memory_messages x
  where m.key = $1 and x.scope = m.number and x.place = $2 and x.message_id = $3
    and s.number = $4 and s.scope = m.number and s.encoded_count = $5
  returning x.scope, x.place)
insert into idolchat.memory_vectors (scope, place, tokens) select scope, place, $6 from one
"""
_USE = """
insert into idolchat.memory_names (kind, name) values ('encoding', $1)
on conflict (kind) do update set name = excluded.name where memory_names.name <> excluded.name returning name
"""


async def unencoded(connection: Connection, encoding: str, limit: int) -> Sequence[Unencoded]:
    """See ``MemoryIndex.unencoded``."""
    await _use(connection, encoding)
    return [
        Unencoded(
            scope_of(row["key"]),
            row["place"],
            text_of(row["message_id"]),
            text_of(row["speaker"]),
            text_of(row["text"]),
            text_of(row["before"] or b""),
        )
        for row in await connection.fetch(_UNENCODED, limit)
    ]


async def put(connection: Connection, encoding: str, vectors: Sequence[tuple[Unencoded, bytes]]) -> None:
    """See ``MemoryIndex.put_vectors``; those of a session are kept in order."""
    await _use(connection, encoding)
    for one, tokens in vectors:
        session, count = divmod(one.place, PLACES_PER_SESSION)
        await connection.execute(
            _PUT, scope_key(one.scope), one.place, to_bytes(one.message_id), session, count, tokens
        )


async def _use(connection: Connection, encoding: str) -> None:
    """Drop the vectors of any other encoding."""
    if await connection.fetchval(_USE, encoding) is not None:
        await connection.execute("delete from idolchat.memory_vectors")
        await connection.execute("update idolchat.memory_sessions set encoded_count = 0 where encoded_count > 0")
