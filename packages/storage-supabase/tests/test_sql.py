"""The SQL that is printed makes, in a real PostgreSQL, a table where everybody sees their own rows alone."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from idolchat_storage_supabase.commands import app
from idolchat_storage_supabase.sql import chats_sql

type Query = Callable[[str], str]

ANN, BOB = "0197a3e2-0000-7000-8000-00000000000a", "0197a3e2-0000-7000-8000-00000000000b"
# What every Supabase project has: its roles, and who is calling.
PROJECT = """
create role anon nologin; create role authenticated nologin; create role service_role nologin bypassrls;
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
create schema auth; grant usage on schema auth to anon, authenticated, service_role;
create function auth.uid() returns uuid language sql stable
    as $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
"""


def binaries() -> Path:
    """Find PostgreSQL, which Debian does not put on the PATH."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


@pytest.fixture(scope="module")
def database() -> Iterator[Query]:
    """Run a PostgreSQL that listens in a folder of its own; it refuses to run as root."""
    place = Path(tempfile.mkdtemp(prefix="idolchat-pg-", dir="/tmp"))  # sockets want a short path
    as_root = os.geteuid() == 0
    if as_root:
        shutil.chown(place, "nobody")
    user = {"user": "nobody"} if as_root else {}

    def run(name: str, *arguments: str) -> None:
        command = [binaries() / name, *arguments]
        subprocess.run(command, check=True, cwd=place, stdout=subprocess.DEVNULL, **user)  # type: ignore[call-overload]

    def query(sql: str) -> str:
        command = [str(binaries() / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(place), "-U", "postgres"]
        done = subprocess.run([*command, "postgres"], input=sql, text=True, capture_output=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else done.stderr

    data = str(place / "data")
    try:
        run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C")
        run(
            "pg_ctl", "-D", data, "-w", "-l", str(place / "log"), "-o", f"-F -k {place} -c listen_addresses=''", "start"
        )
        try:
            query(PROJECT)
            assert query(chats_sql()) == ""
            yield query
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place)


@pytest.fixture
def filled(database: Query) -> Query:
    """Return the table with a row of Ann and one of Bob, written as idolchat does."""
    rows = ", ".join(f"('{user[:-2]}c{user[-1]}', '{user}', 'miku', now())" for user in (ANN, BOB))
    assert database(f"delete from chats; set role service_role; insert into chats values {rows}") == ""  # noqa: S608
    return database


def test_running_it_again_changes_nothing(filled: Query) -> None:
    assert "ERROR" not in filled(chats_sql())
    assert filled("select count(*) from chats") == "2"


def test_the_secret_key_sees_and_changes_all(filled: Query) -> None:
    sql = "set role service_role; update chats set updated_at = now(); select count(*) from chats; delete from chats"

    assert filled(sql) == "2"


def test_who_is_signed_in_sees_their_own_alone_and_changes_none(filled: Query) -> None:
    ann = f"set role authenticated; set request.jwt.claim.sub = '{ANN}'; "

    row = f"(gen_random_uuid(), '{ANN}', null, now())"

    assert filled(f"{ann} table chats").split("|")[1] == ANN
    assert filled(f"{ann} table chats").count("\n") == 0
    assert "permission denied" in filled(f"{ann} insert into chats values {row}")  # noqa: S608
    assert "permission denied" in filled(f"{ann} delete from chats")  # noqa: S608


def test_who_is_not_signed_in_sees_nothing(filled: Query) -> None:
    assert "permission denied" in filled("set role anon; select * from chats")


def test_row_level_security_is_on(filled: Query) -> None:
    assert filled("select relrowsecurity from pg_class where relname = 'chats'") == "t"


def test_a_user_may_have_a_name_that_is_no_uuid(filled: Query) -> None:
    sql = "insert into chats values (gen_random_uuid(), 'ann@example.org', null, now()) returning user_id"

    assert filled(f"set role service_role; {sql}") == "ann@example.org"


def test_pages_are_read_by_an_index(filled: Query) -> None:
    plan = filled(
        "set enable_seqscan = off; set enable_sort = off; explain select id from chats"
        " where user_id = 'x' order by updated_at desc, id desc limit 20"
    )

    assert "chats_by_user" in plan
    assert "Sort" not in plan


def test_the_command_prints_it() -> None:
    printed = CliRunner().invoke(app, ["sql"])

    assert printed.exit_code == 0
    assert printed.stdout == chats_sql()
