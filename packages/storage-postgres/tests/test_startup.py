"""One message at the start says which variable is wrong, what was found and what to write."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from idolchat_core import ConfigurationError, StorageUnavailable
from idolchat_core.testing import a_conversation, reserve_port
from idolchat_storage_postgres import migrations, startup
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.storage import open_postgres_storage
from idolchat_storage_postgres.testing import PostgresServer, running_pgbouncer

PASSWORD = "zq-secret"


def settings_of(url: str | None) -> PostgresSettings:
    return PostgresSettings.model_validate({"url": url})


async def refusal(url: str | None, error: type[Exception] = ConfigurationError) -> str:
    """Return what is said instead of opening a database."""
    with pytest.raises(error) as refused:
        async with open_postgres_storage(settings_of(url)):
            pass
    assert PASSWORD not in str(refused.value)
    assert PASSWORD not in str(refused.value.__cause__)
    return str(refused.value)


@pytest.mark.parametrize("url", [None, "", "  "])
async def test_an_address_that_is_missing_is_asked_for(url: str | None) -> None:
    assert "IDOLCHAT_POSTGRES_URL, which is not set" in await refusal(url)


@pytest.mark.parametrize(
    "url",
    [
        f"http://u:{PASSWORD}@127.0.0.1/x",
        f"host=127.0.0.1 password={PASSWORD}",
        f"postgresql://u:{PASSWORD}@127.0.0.1:port/x",
        f"postgresql://u:{PASSWORD}@127.0.0.1/x?sslmode=maybe",
        f"postgresql://u:{PASSWORD}#@127.0.0.1/x",
        f"postgresql://[::1:{PASSWORD}@x/y",
    ],
)
async def test_an_address_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    said = await refusal(url)

    assert "IDOLCHAT_POSTGRES_URL" in said
    assert "postgresql://" in said


async def test_a_server_that_cannot_be_reached_is_unavailable() -> None:
    port = reserve_port()

    said = await refusal(f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/x", StorageUnavailable)
    assert f"x at 127.0.0.1:{port} cannot be reached" in said


async def test_a_database_that_is_not_there_is_named(server: PostgresServer) -> None:
    said = await refusal(f"postgresql://postgres:{PASSWORD}@127.0.0.1:{server.port}/nowhere")

    assert 'IDOLCHAT_POSTGRES_URL names a database that is not there (database "nowhere" does not exist)' in said


async def test_a_role_that_is_not_let_in_is_told(server: PostgresServer, empty_database: str) -> None:
    said = await refusal(f"postgresql://nobody:{PASSWORD}@127.0.0.1:{server.port}/postgres")

    assert 'role "nobody" does not exist' in said
    assert "write its user and password" in said


async def test_a_parameter_that_the_server_does_not_know_is_told(empty_database: str) -> None:
    assert 'parameter "sslmood"' in await refusal(f"{empty_database}?sslmood=require")


async def test_parameters_of_libpq_alone_are_left_out(empty_database: str) -> None:
    async with open_postgres_storage(settings_of(f"{empty_database}?channel_binding=prefer&keepalives=1")) as storage:
        await storage.check()


async def test_an_empty_database_gets_the_schema_of_several_that_open_it_at_once(empty_database: str) -> None:
    async def use() -> None:
        async with open_postgres_storage(settings_of(empty_database)) as storage:
            await storage.create(a_conversation("one"))

    await asyncio.gather(*(use() for _ in range(4)))
    async with open_postgres_storage(settings_of(empty_database)) as storage:
        assert (await storage.stats()).conversations == 4


async def test_a_role_that_may_not_make_the_schema_is_told_what_to_grant(
    server: PostgresServer, empty_database: str
) -> None:
    name = empty_database.rpartition("/")[2]
    server.query("drop role if exists weak; create role weak login")

    said = await refusal(server.url(name, user="weak"))
    assert f'grant create on database "{name}" to "weak"' in said
    server.query(f'grant create on database "{name}" to "weak"')
    async with open_postgres_storage(settings_of(server.url(name, user="weak"))) as storage:
        await storage.create(a_conversation("one"))


@pytest.fixture
def stranger(server: PostgresServer, database_url: str) -> str:
    """Return the address of a database for a role that did not make its schema."""
    server.query("drop role if exists stranger; create role stranger login")
    return server.url(database_url.rpartition("/")[2], user="stranger")


async def test_a_role_that_may_not_use_the_tables_is_told_what_to_grant(stranger: str) -> None:
    said = await refusal(stranger)

    assert "the role 'stranger' may not use its tables" in said
    assert 'grant "postgres" to "stranger"' in said


async def test_a_role_that_policies_keep_from_rows_is_refused(server: PostgresServer, stranger: str) -> None:
    grants = "grant usage on schema idolchat to stranger; grant all on all tables in schema idolchat to stranger"
    server.query(grants, database=stranger.rpartition("/")[2])

    assert "sees only some of its rows" in await refusal(stranger)


async def test_a_database_of_another_encoding_is_refused(server: PostgresServer) -> None:
    server.query("create database latin encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C'")

    assert "encoded as SQL_ASCII" in await refusal(server.url("latin"))
    server.drop_database("latin")


async def test_a_schema_of_another_version_is_refused_with_the_command(
    server: PostgresServer, database_url: str
) -> None:
    name = database_url.rpartition("/")[2]
    there = migrations.newest_version()

    server.query("insert into idolchat.schema_versions (version) values (999)", database=name)
    assert f"is of version 999, and this idolchat knows {there}: install" in await refusal(database_url)
    with pytest.raises(ConfigurationError, match="pip install --upgrade"):
        await startup.upgrade(settings_of(database_url))


@pytest.mark.parametrize("lost", ["delete from", "drop table"])
async def test_tables_without_a_version_are_refused(server: PostgresServer, database_url: str, lost: str) -> None:
    server.query(f"{lost} idolchat.schema_versions", database=database_url.rpartition("/")[2])

    assert "schema_versions names no version" in await refusal(database_url)
    for dry_run in (True, False):
        with pytest.raises(ConfigurationError, match="restore all of the dump into an empty database"):
            await startup.upgrade(settings_of(database_url), dry_run=dry_run)


async def test_an_older_schema_is_refused_with_the_command(
    server: PostgresServer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = migrations.newest_version()
    later = {1: "create schema idolchat", there: "select 1", there + 1: "create table idolchat.later (x int)"}
    monkeypatch.setattr(migrations, "_versions", lambda: later)

    assert "run `idol storage upgrade`" in await refusal(database_url)
    assert list(await startup.upgrade(settings_of(database_url), dry_run=True)) == [there + 1]
    assert list(await startup.upgrade(settings_of(database_url))) == [there + 1]
    assert list(await startup.upgrade(settings_of(database_url))) == []
    assert server.query("select count(*) from idolchat.later", database=database_url.rpartition("/")[2]) == "0"
    async with open_postgres_storage(settings_of(database_url)) as storage:
        await storage.check()


async def test_an_upgrade_that_fails_changes_nothing(
    server: PostgresServer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = migrations.newest_version()
    broken = {there: "", there + 1: "create table idolchat.half (x int)", there + 2: "select nonsense"}
    monkeypatch.setattr(migrations, "_versions", lambda: broken)

    with pytest.raises(StorageUnavailable):
        await startup.upgrade(settings_of(database_url))
    assert server.query("select to_regclass('idolchat.half') is null", database=database_url.rpartition("/")[2]) == "t"


@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pooler_that_switches_connections_is_refused(
    server: PostgresServer, database_url: str, mode: Literal["transaction", "statement"]
) -> None:
    with running_pgbouncer(server, mode) as port:
        said = await refusal(server.url(database_url.rpartition("/")[2], port=port))

    assert "a pooler that is not in session mode" in said
    assert "IDOLCHAT_POSTGRES_URL" in said
    assert "5432 in place of 6543" in said


async def test_a_pooler_in_session_mode_is_as_good_as_the_server(server: PostgresServer, database_url: str) -> None:
    with running_pgbouncer(server, "session") as port:
        url = server.url(database_url.rpartition("/")[2], port=port)
        async with open_postgres_storage(settings_of(url)) as storage:
            await storage.create(a_conversation("one"))
            assert (await storage.stats()).conversations == 1


async def test_a_standby_is_unavailable(server: PostgresServer, database_url: str) -> None:
    """A server that only says so: what is asked first is the same."""
    name = database_url.rpartition("/")[2]
    standby = "create function public.pg_is_in_recovery() returns bool language sql as 'select true'"
    server.query(standby, database=name)
    server.query(f"alter database {name} set search_path = public, pg_catalog", database=name)

    async with open_postgres_storage(settings_of(database_url)) as storage:
        await storage.check()  # what others put in the search path is not looked at
