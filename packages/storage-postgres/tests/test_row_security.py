"""Who is signed in at Supabase reads what is theirs, and nothing else of the schema."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from idolchat_core.testing import a_conversation
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.storage import open_postgres_storage
from idolchat_storage_postgres.testing import PostgresServer

ANN, BOB = "0197a3e2-0000-7000-8000-00000000000a", "0197a3e2-0000-7000-8000-00000000000b"
# What every Supabase project has: its roles, and who is calling.
PROJECT = """
do $$ begin
  if not exists (select from pg_roles where rolname = 'authenticated') then
    create role anon nologin; create role authenticated nologin;
  end if;
end $$;
create schema auth; grant usage on schema auth to anon, authenticated;
create function auth.uid() returns uuid language sql stable
  as $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
alter default privileges grant all on tables to anon, authenticated;
"""

type Query = Callable[[str], str]


@pytest.fixture
def project(server: PostgresServer, empty_database: str) -> Iterator[Query]:
    """Return a project in which a conversation of Ann and one of Bob are stored, to be asked as its superuser."""
    name = empty_database.rpartition("/")[2]
    server.query(PROJECT, database=name)

    async def fill() -> None:
        async with open_postgres_storage(PostgresSettings.model_validate({"url": empty_database})) as storage:
            await storage.create(a_conversation("ann's", user_id=ANN))
            await storage.create(a_conversation("bob's", user_id=BOB))
            await storage.put_record("keys", "a", b"secret")

    asyncio.run(fill())
    yield lambda sql: server.query(sql, database=name)
    server.query("drop owned by anon, authenticated", database=name)


def as_ann(sql: str) -> str:
    return f"set role authenticated; set request.jwt.claim.sub = '{ANN}'; {sql}"


def test_who_is_signed_in_reads_their_own_alone(project: Query) -> None:
    assert project(as_ann("select user_id from idolchat.conversations")) == ANN
    assert project(as_ann("select line->>'content' from idolchat.messages")) == "ann's"
    assert project("select count(*) from idolchat.messages") == "2"


@pytest.mark.parametrize("table", ["records", "log_lines", "turns", "instances", "memory_messages", "messages_0"])
def test_everything_else_is_closed(project: Query, table: str) -> None:
    with pytest.raises(AssertionError, match="permission denied"):
        project(as_ann(f"table idolchat.{table}"))


@pytest.mark.parametrize(
    "sql", ["delete from idolchat.messages", "update idolchat.conversations set user_id = user_id"]
)
def test_nothing_is_written_by_who_is_signed_in(project: Query, sql: str) -> None:
    with pytest.raises(AssertionError, match="permission denied"):
        project(as_ann(sql))


def test_who_is_not_signed_in_reads_nothing(project: Query) -> None:
    with pytest.raises(AssertionError, match="permission denied"):
        project("set role anon; table idolchat.conversations")


def test_row_security_is_on_for_every_table_and_partition(project: Query) -> None:
    without = "select relname from pg_class where relnamespace = 'idolchat'::regnamespace and relkind in ('r', 'p')"

    assert project(f"{without} and not relrowsecurity") == ""
    project("grant select on idolchat.messages_0 to authenticated")
    assert project(as_ann("select count(*) from idolchat.messages_0")) == "0"
