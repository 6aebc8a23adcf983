"""What a turn costs with PostgreSQL: CPU of the server's processes and of the database, with one worker and with more.

    python packages/storage-postgres/benchmarks/turns.py --turns 4000 --workers 1 2
    python packages/storage-postgres/benchmarks/turns.py --statements    what the database was asked, a turn

It uses the mock provider and the load of the repository that it stands in. Clients send whole messages over HTTP, each
turn in one of 500 conversations. CPU is user and system time of whole process trees, from /proc, so that what else runs
on the machine adds little. Where there are more cores than two, more workers show how it scales.

What waits at one moment is written together, so that a turn costs less the more of them a worker has. So several
workers are measured twice: with the clients that one has alone, which they share, and with as many for each of them.
The second compares workers that do the same, the first also counts that each has less to do.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from idolchat_storage_postgres.testing import PostgresServer, running_postgres

ROOT = Path(__file__).parents[3]
TICKS_S = os.sysconf("SC_CLK_TCK")
WARM_UP, CONVERSATIONS = 2000, 500
DATABASE = "turns"
PLUGINS = "storage-postgres,storage-local,llm-openrouter"

HEADER = """\
| storage | workers | clients | turns/s | ms server CPU a turn | ms database CPU a turn | both | p50 ms | p99 ms |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""
STATEMENTS = """
select round(calls / {turns}.0, 3), round(rows / calls::numeric, 1), round(1e3 * total_plan_time::numeric / {turns}, 1),
  round(1e3 * total_exec_time::numeric / {turns}, 1), left(regexp_replace(query, '\\s+', ' ', 'g'), 90)
from pg_stat_statements where dbid = (select oid from pg_database where datname = '{database}')
order by total_exec_time + total_plan_time desc limit 15
"""


def main() -> None:
    """Measure, and print a row for each."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--turns", type=int, default=4000)
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options.add_argument("--clients", type=int, default=64, help="of one worker")
    options.add_argument("--rounds", type=int, default=1, help="in turn")
    options.add_argument("--statements", action="store_true", help="count them too, which takes some CPU of its own")
    given = options.parse_args()
    sys.stdout.write(HEADER)
    memory = ["shared_buffers=256MB", "max_wal_size=4GB", "max_connections=200"]
    if given.statements:
        memory += ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on"]
    with running_mock() as provider, running_postgres(options=memory, fsync=True) as postgres:
        for _ in range(given.rounds):
            row("local", 1, provider, None, turns=given.turns, clients=given.clients)
            for workers in given.workers:
                for clients in sorted({given.clients, given.clients * workers}):
                    row("postgres", workers, provider, postgres, turns=given.turns, clients=clients)
                    if given.statements:
                        tell_statements(postgres, given.turns)


def row(
    storage: str, workers: int, provider: str, postgres: PostgresServer | None, *, turns: int, clients: int
) -> None:
    """Measure one server."""
    with tempfile.TemporaryDirectory(prefix="idolchat-turns-") as folder:
        given = {"IDOLCHAT_STORAGE": storage, "IDOLCHAT_DATA_DIR": f"{folder}/data", "OPENROUTER_BASE_URL": provider}
        if postgres is not None:
            postgres.drop_database(DATABASE)
            given["IDOLCHAT_POSTGRES_URL"] = postgres.make_database(DATABASE)
        with running_server(given, workers=workers) as (pid, port):
            load(port, WARM_UP, clients=clients)
            if postgres is not None:
                forget_statements(postgres)
            before = cpu_of(pid), cpu_of_database(postgres)
            seen = load(port, turns, clients=clients)
            server, database = cpu_of(pid) - before[0], cpu_of_database(postgres) - before[1]
    if seen["errors"]:
        raise SystemExit(f"not all turns were answered: {seen['errors']}")
    count = seen["replies"]
    costs = [1e3 * one / count for one in (server, database, server + database)]
    figures = [seen["replies_s"], *(f"{cost:.3f}" for cost in costs), seen["latency_p50_ms"], seen["latency_p99_ms"]]
    sys.stdout.write(f"| {storage} | {workers} | {clients} | {' | '.join(map(str, figures))} |\n")
    sys.stdout.flush()


@contextmanager
def running_mock() -> Iterator[str]:
    """Run the mock provider, and give its address."""
    command = [sys.executable, "-m", "tests.support.mock_openrouter", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield f"{_said_by(process, r'http://[^\s/]+')}/api/v1"
        finally:
            process.kill()


@contextmanager
def running_server(given: dict[str, str], *, workers: int) -> Iterator[tuple[int, int]]:
    """Run ``idol serve``, and give its process id and port."""
    environment = {**os.environ, **given, "IDOLCHAT_PLUGINS": PLUGINS, "OPENROUTER_API_KEY": "none"}
    environment |= {"IDOLCHAT_PORT": "0", "IDOLCHAT_API_LOG_LEVEL": "error", "IDOLCHAT_MAX_TURNS": "100000"}
    command = [sys.executable, "-m", "idolchat_cli", "serve", "--workers", str(workers)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            port = int(_said_by(process, r"(?<=http://127\.0\.0\.1:)\d+"))
            time.sleep(2)  # until all workers serve
            yield process.pid, port
        finally:
            process.terminate()


def _said_by(process: subprocess.Popen[str], pattern: str) -> str:
    for line in process.stdout or ():
        if found := re.search(pattern, line):
            return found[0]
    raise SystemExit(f"a process ended without having said where it serves: {process.args!r}")


def load(port: int, turns: int, *, clients: int) -> dict[str, float]:
    """Send so many turns from clients, and return what they have seen."""
    body = {
        "messages": [{"role": "user", "content": "A message of some length, as people send them. " * 9}],
        "conversation_id": "@POOL@",
        "model": "mock/j64",
    }
    asked = {
        "host": "127.0.0.1",
        "port": port,
        "path": "/chat",
        "mode": "json",
        "model": "mock/j64",
        "body": json.dumps(body),
        "connections": clients,
        "seconds": 600,
        "requests": turns,
        "conversations": CONVERSATIONS,
        "tag": "0000000a",
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    seen: dict[str, float] = json.loads(done.stdout)
    return seen


def forget_statements(postgres: PostgresServer) -> None:
    """Count what the database is asked from now on, where that is counted."""
    if "pg_stat_statements" in postgres.query("show shared_preload_libraries"):
        postgres.query("create extension if not exists pg_stat_statements; select pg_stat_statements_reset()")


def tell_statements(postgres: PostgresServer, turns: int) -> None:
    """Print the statements that took longest: how often a turn, the rows that one gave, and the us that they took."""
    told = postgres.query(STATEMENTS.format(turns=turns, database=DATABASE))
    sys.stdout.write(f"a turn | rows of each | us planned, a turn | us run, a turn | statement\n{told}\n\n")


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that a process and all that it has started have used."""
    used = 0.0
    for each in [pid, *descendants(pid)]:
        with suppress(FileNotFoundError):  # its parent has its CPU when it has ended
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(") ")[2].split()
            used += sum(map(int, fields[11:15])) / TICKS_S  # with children that have ended
    return used


def cpu_of_database(postgres: PostgresServer | None) -> float:
    """Return the seconds of CPU that a database has used."""
    if postgres is None:
        return 0.0
    return cpu_of(int((postgres.folder / "data" / "postmaster.pid").read_text().split("\n")[0]))


def descendants(pid: int) -> list[int]:
    """List the processes that a process has started, and those that these have."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [one for child in map(int, children) for one in (child, *descendants(child))]


if __name__ == "__main__":
    main()
