"""The storage's own bus: NOTIFY, on a connection that does nothing else.

Within a write, NOTIFY would let one transaction commit after the other (1,500 appends a second in place of 2,600).
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import asyncpg

from idolchat_core import BrokerBus, BrokerLost, Publish
from idolchat_storage_postgres.database import ERRORS, Connection, Database, unavailable

__all__ = ["NotifyBus"]

MAX_NOTIFY_BYTES = 7999
"""What NOTIFY carries (async.c, NOTIFY_PAYLOAD_MAX_LENGTH)."""
_BASE64 = "="
"""Marks what is no text; no payload begins with it."""
_NOTIFY = "select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) x(channel, payload)"


class NotifyBus(BrokerBus):
    """A bus over the database. Its commits do not wait for the disk, for a crash of it loses messages in any case."""

    name = "postgres"
    max_payload_bytes = MAX_NOTIFY_BYTES // 4 * 3 - 3  # as many as base64 has room for

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    @asynccontextmanager
    async def connect(self, take: Callable[[bytes], None], lost: Callable[[str], None]) -> AsyncGenerator[Publish]:
        where = self._database.settings.where
        session = self._database.session(waits_for_disk=False)
        try:
            with self._told():
                connection = await session.connection()
                connection.add_termination_listener(lambda _: lost(f"the database {where} has closed the connection"))
                await connection.add_listener(
                    _channel(self.inbox), lambda _connection, _pid, _channel, payload: take(_bytes(str(payload)))
                )
            yield partial(self._publish, connection)
        finally:
            await session.close()

    async def _publish(self, connection: Connection, payloads: Sequence[tuple[str, bytes]]) -> None:
        channels = [_channel(inbox) for inbox, _ in payloads]
        with self._told():
            await connection.execute(_NOTIFY, channels, [_text(payload) for _, payload in payloads])

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except asyncpg.ProgramLimitExceededError:
            raise BrokerLost(
                f"the queue of NOTIFY is full in the database {self._database.settings.where}: some connection listens"
                " in a transaction that does not end; pg_stat_activity shows it"
            ) from None
        except ERRORS as error:
            raise BrokerLost(str(unavailable(error, self._database.settings))) from None


def _channel(inbox: str) -> str:
    return f"idolchat_{inbox}"


def _text(payload: bytes) -> str:
    """Write a payload as text, which holds no NUL; most are JSON, and stay as they are."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:  # a character that is cut in two, too
        text = "\0"
    return text if "\0" not in text else _BASE64 + base64.b64encode(payload).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text[1:]) if text.startswith(_BASE64) else text.encode()
