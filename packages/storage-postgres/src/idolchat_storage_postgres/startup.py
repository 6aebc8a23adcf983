"""What is looked at before a database is used: one message says what is wrong, and what to write."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from idolchat_core import ConfigurationError, StorageUnavailable
from idolchat_storage_postgres.database import ERRORS, Connection, Database, Session, unavailable
from idolchat_storage_postgres.migrations import has_tables, newest_version, read_version, upgrade_schema
from idolchat_storage_postgres.settings import VARIABLE, PostgresSettings

__all__ = ["UPGRADE", "open_checked", "prepare", "upgrade"]

UPGRADE = "idol storage upgrade"
_OLDEST = 15
_ROUNDS = 3

_FACTS = """
select current_setting('server_version_num')::int / 10000 as server, current_setting('server_version') as version,
  current_setting('server_encoding') as encoding, pg_is_in_recovery() as is_standby, current_user as role,
  current_database() as database, coalesce(
    (select has_schema_privilege(oid, 'create') from pg_namespace where nspname = 'idolchat'),
    has_database_privilege(current_database(), 'create')) as may_create
"""
_RIGHTS = """
select pg_get_userbyid(n.nspowner) as owner,
  has_schema_privilege(n.oid, 'usage') and bool_and(has_table_privilege(c.oid, 'select')
    and has_table_privilege(c.oid, 'insert') and has_table_privilege(c.oid, 'update')
    and has_table_privilege(c.oid, 'delete')) as may_use,
  bool_or(row_security_active(c.oid)) as is_limited
from pg_namespace n join pg_class c on c.relnamespace = n.oid
where n.nspname = 'idolchat' and c.relkind in ('r', 'p') group by n.oid, n.nspowner
"""
_SWITCHED = (
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.ProtocolViolationError,
)
"""What a statement meets that was prepared on another connection of the server."""


@dataclass(frozen=True, slots=True)
class _Facts:
    server: int
    version: str
    encoding: str
    is_standby: bool
    role: str
    database: str
    may_create: bool


@asynccontextmanager
async def open_checked(settings: PostgresSettings) -> AsyncGenerator[tuple[Database, Sequence[Session]]]:
    """Open a database that is fit for use, with two sessions of it that are connected; close it at the end.

    An empty database gets the schema. Raises ``ConfigurationError`` for what must be set otherwise, and
    ``StorageUnavailable`` where the database cannot be reached now.
    """
    database = Database(settings)
    sessions = [database.session(by_key=True), database.session(by_key=True)]
    try:
        await _checked(settings, sessions)
        yield database, sessions
    finally:
        for session in sessions:
            await session.close()
        await database.close()


async def upgrade(settings: PostgresSettings, *, dry_run: bool = False) -> Sequence[int]:
    """Bring the schema up to date, and return which versions were made, or would be. Raises as ``open_checked``."""
    session = Session(settings)
    try:
        connection = await _connected(session, settings)
        try:
            await _check_server(connection, settings)
            there = await _version(connection, settings)
            if there > newest_version():
                raise _too_new(there, settings)
            if dry_run:
                return range(there + 1, newest_version() + 1)
            return await upgrade_schema(connection)
        except asyncpg.InsufficientPrivilegeError as error:
            raise ConfigurationError(
                f"the role in {VARIABLE} may not change the schema of {settings.where} ({error.args[0]}); give it the"
                f" right, or give {VARIABLE} of the role that made it"
            ) from None
        except ERRORS as error:
            raise unavailable(error, settings) from None
    finally:
        await session.close()


async def prepare(connection: Connection, settings: PostgresSettings) -> None:
    """Raise unless the schema in a database is the one that this package knows; an empty database gets it."""
    facts = await _check_server(connection, settings)
    await _check_rights(connection, settings, facts)
    there = await _version(connection, settings)
    if there == 0:
        if not facts.may_create:
            raise ConfigurationError(
                f"the database of {VARIABLE}, {settings.where}, has no schema idolchat yet, and the role {facts.role!r}"
                f' may not make one: run `grant create on database "{facts.database}" to "{facts.role}"` there as its'
                f" owner, or `{UPGRADE}` with {VARIABLE} of a role that may"
            )
        await upgrade_schema(connection)
        return
    if there > newest_version():
        raise _too_new(there, settings)
    if there < newest_version():
        raise ConfigurationError(
            f"the schema in the database of {VARIABLE}, {settings.where}, is of version {there}, and this idolchat"
            f" needs {newest_version()}: run `{UPGRADE}`; servers that run now go on meanwhile"
        )


async def _version(connection: Connection, settings: PostgresSettings) -> int:
    """Return the version of the schema; 0 where there is none. Raises for tables without one."""
    # Tables are looked for first: they come together with their version, perhaps just now, by another server.
    if await has_tables(connection) and await read_version(connection) == 0:
        raise ConfigurationError(
            f"the schema idolchat in the database of {VARIABLE}, {settings.where}, has tables, but its table"
            " schema_versions names no version, as after a part of a dump was restored: restore all of the dump into an"
            " empty database, or run `drop schema idolchat cascade` there if nothing in it is wanted"
        )
    return await read_version(connection)


def _too_new(there: int, settings: PostgresSettings) -> ConfigurationError:
    return ConfigurationError(
        f"the schema in the database of {VARIABLE}, {settings.where}, is of version {there}, and this idolchat knows"
        f" {newest_version()}: install the idolchat-storage-postgres that made it, with"
        " `pip install --upgrade idolchat-storage-postgres`"
    )


async def _checked(settings: PostgresSettings, sessions: Sequence[Session]) -> None:
    first, second = [await _connected(session, settings) for session in sessions]
    try:
        await _check_pooler(first, second, settings)
        await prepare(first, settings)
    except ERRORS as error:
        raise unavailable(error, settings) from None


async def _connected(session: Session, settings: PostgresSettings) -> Connection:
    try:
        return await session.connection()
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError) as error:
        raise ConfigurationError(
            f"the database {settings.where} does not let in who {VARIABLE} names ({_told(error)}); write its user and"
            " password, as in postgresql://USER:PASSWORD@HOST:5432/DATABASE"
        ) from None
    except asyncpg.InvalidCatalogNameError as error:
        raise ConfigurationError(
            f"{VARIABLE} names a database that is not there ({_told(error)}); make it with `createdb`, or write the"
            " name of another one behind the last slash"
        ) from None
    except _SWITCHED:
        raise _pooled(settings) from None
    except (asyncpg.UndefinedObjectError, asyncpg.ProtocolViolationError, asyncpg.CantChangeRuntimeParamError) as error:
        raise ConfigurationError(
            f"{VARIABLE} has a parameter that the server does not know ({_told(error)}); take it out of the part behind"
            " the question mark"
        ) from None
    except (asyncpg.ClientConfigurationError, ValueError) as error:
        # Not its words, which may repeat the password.
        raise ConfigurationError(
            f"{VARIABLE} cannot be read as the address of a database ({type(error).__name__}); write one such as"
            " postgresql://USER:PASSWORD@HOST:5432/DATABASE, with % and two hexadecimal digits for : / @ # ? in the"
            " password"
        ) from None
    except ERRORS as error:
        raise unavailable(error, settings) from None


def _told(error: asyncpg.PostgresError) -> str:
    """Return what the server says, which never repeats a password."""
    return str(error.args[0])


async def _check_server(connection: Connection, settings: PostgresSettings) -> _Facts:
    row = await connection.fetchrow(_FACTS)
    facts = _Facts(**dict(row or {}))
    if facts.server < _OLDEST:
        raise ConfigurationError(
            f"the server of {VARIABLE}, {settings.where}, is PostgreSQL {facts.version}; {_OLDEST} or newer is needed:"
            " upgrade it, or write the address of another one"
        )
    if facts.encoding != "UTF8":
        raise ConfigurationError(
            f"the database of {VARIABLE}, {settings.where}, is encoded as {facts.encoding}, which cannot hold every"
            " text; make one with `createdb --encoding=UTF8 --template=template0`, and write its name"
        )
    if facts.is_standby:
        raise StorageUnavailable(
            f"the server of {VARIABLE}, {settings.where}, is a standby, which cannot be written to; write the address"
            " of the primary, or of all with ?target_session_attrs=read-write"
        )
    return facts


async def _check_rights(connection: Connection, settings: PostgresSettings, facts: _Facts) -> None:
    row = await connection.fetchrow(_RIGHTS)
    if row is not None and not (row["may_use"] and not row["is_limited"]):
        found = "sees only some of its rows" if row["may_use"] else "may not use its tables"
        raise ConfigurationError(
            f"the schema idolchat in the database of {VARIABLE}, {settings.where}, belongs to {row['owner']!r}, and the"
            f' role {facts.role!r} {found}: run `grant "{row["owner"]}" to "{facts.role}"` there, or write the user'
            f" {row['owner']} into {VARIABLE}"
        )


async def _check_pooler(first: Connection, second: Connection, settings: PostgresSettings) -> None:
    """Raise where a statement may reach another connection of the server than the one before.

    While nothing else is asked for, a pooler gives out the connection that came back last. So the second one, which
    keeps what it gets, gets that of the first, or the first gets another one then.
    """
    try:
        for _ in range(_ROUNDS):
            before = await _backend(first)
            async with second.transaction():
                taken = await _backend(second)
                after = await _backend(first)
            if before != after or taken == before:
                raise _pooled(settings)
    except _SWITCHED:
        raise _pooled(settings) from None
    except asyncpg.ConnectionDoesNotExistError:
        if second.is_closed() and not first.is_closed():  # in mode `statement`, for it has begun a transaction
            raise _pooled(settings) from None
        raise


async def _backend(connection: Connection) -> int:
    found: int = await connection.fetchval("select pg_backend_pid()")
    return found


def _pooled(settings: PostgresSettings) -> ConfigurationError:
    return ConfigurationError(
        f"{VARIABLE} leads to a pooler that is not in session mode ({settings.where}): two statements of one connection"
        " reached different connections of the server, between which locks and notifications are lost."
        " Write the address of the server itself, or of a pooler in session mode (Supabase: port 5432 in place of"
        " 6543)"
    )
