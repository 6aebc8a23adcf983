"""What a turn costs with PostgreSQL: CPU of the server's processes and of the database, with one worker and with more.

    python packages/storage-postgres/benchmarks/turns.py --turns 4000 --workers 1 2
    python packages/storage-postgres/benchmarks/turns.py --statements    what the database was asked, a turn
    python packages/storage-postgres/benchmarks/turns.py --steps         steps of the interpreter, a turn
    python packages/storage-postgres/benchmarks/turns.py --own           each client in conversations of its own
    python packages/storage-postgres/benchmarks/turns.py --control       what the machine itself makes dearer

It uses the mock provider and the load of the repository that it stands in. Clients send whole messages over HTTP, each
turn in one of 500 conversations: whichever comes next, so that of two workers each finds every second one changed by
the other; or with ``--own`` one that only this client goes on with, over its one connection, as an app does. CPU is
user and system time of whole process trees, from /proc, so that what else runs on the machine adds little. Where there
are more cores than two, more workers show how it scales.

What waits at one moment is written together, so that a turn costs less the more of them a worker has. So several
workers are measured twice: with the clients that one has alone, which they share, and with as many for each of them.
The second compares workers that do the same, the first also counts that each has less to do.

The same work takes more CPU time on a core whose neighbour works than on one whose neighbour sleeps: virtual cores may
be two threads of one, and share caches and memory. How much, ``--control`` tells: of work that shares nothing, beside
its twin and alone, and of servers that share nothing, each with a database and a provider of its own. Steps of the
interpreter do not move with the machine, but for what is done once a second. Counting them takes three times the time
of the server, so that its database is quicker than otherwise, and less goes together.
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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from idolchat_storage_postgres.testing import PostgresServer, running_postgres

ROOT = Path(__file__).parents[3]
TICKS_S = os.sysconf("SC_CLK_TCK")
WARM_UP, CONVERSATIONS = 1000, 500
DATABASE = "turns"
PLUGINS = "storage-postgres,storage-local,llm-openrouter"

HEADER = """\
| storage | workers | clients | turns/s | ms server CPU a turn | ms database CPU a turn | both | p50 ms | p99 ms |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""
MEMORY = ("shared_buffers=256MB", "max_wal_size=4GB", "max_connections=200")
COUNTING = """
import os, sys, threading, time
from itertools import count
from pathlib import Path

FOLDER = Path(__file__).parent
END = os.fspath(FOLDER / "end")
monitoring = sys.monitoring
steps = count()

def _count(code, offset):
    next(steps)

def _watch():
    while not (FOLDER / "begin").exists():
        time.sleep(0.05)
    monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.INSTRUCTION)
    while not os.path.exists(END):  # which takes few steps, for they are counted, too
        time.sleep(0.05)
    monitoring.set_events(monitoring.PROFILER_ID, 0)
    (FOLDER / f"{os.getpid()}.steps").write_text(str(next(steps)))

def _start():
    threading.Thread(target=_watch, daemon=True).start()

monitoring.use_tool_id(monitoring.PROFILER_ID, "steps")
monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.INSTRUCTION, _count)
os.register_at_fork(after_in_child=_start)
_start()
"""
"""Counts what a process does between two files that another one makes."""
WORK = """
import json, random, time
random.seed(1)
kept = {str(number): {"id": number, "text": "a word or two " * 9, "at": [number] * 9} for number in range(20_000)}
names = list(kept)
began = time.process_time()
for _ in range(60_000):
    one = kept[random.choice(names)]
    json.loads(json.dumps(one))
print(time.process_time() - began)
"""
"""Python at work on some 30 MB of objects, as a server is; tells its CPU time."""
STATEMENTS = """
select round(calls / {turns}.0, 3), round(rows / calls::numeric, 1), round(1e3 * total_plan_time::numeric / {turns}, 1),
  round(1e3 * total_exec_time::numeric / {turns}, 1), left(regexp_replace(query, '\\s+', ' ', 'g'), 90)
from pg_stat_statements where dbid = (select oid from pg_database where datname = '{database}')
order by total_exec_time + total_plan_time desc limit 15
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A server and what it uses; without ``postgres`` it keeps conversations in files."""

    pid: int
    port: int
    folder: Path
    postgres: PostgresServer | None


def main() -> None:
    """Measure, and print a row for each."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--turns", type=int, default=4000)
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options.add_argument("--clients", type=int, default=64, help="of one worker")
    options.add_argument("--rounds", type=int, default=1, help="in turn")
    options.add_argument("--statements", action="store_true", help="count them too, which takes some CPU of its own")
    options.add_argument(
        "--steps", action="store_true", help="count them too, which makes a server three times as slow"
    )
    options.add_argument("--own", action="store_true", help="let each client keep to conversations of its own")
    options.add_argument("--control", action="store_true", help="measure only what shares nothing")
    given = options.parse_args()
    if given.control:
        control(given.turns, given.clients, given.rounds)
        return
    sys.stdout.write(HEADER)
    counted = ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on"]
    memory = [*MEMORY, *counted] if given.statements else MEMORY
    with running_mock() as provider, running_postgres(options=memory, fsync=True) as postgres:
        for _ in range(given.rounds):
            asked = {"turns": given.turns, "steps": given.steps, "own": given.own}
            row("local", 1, provider, None, clients=given.clients, **asked)
            for workers in given.workers:
                for clients in sorted({given.clients, given.clients * workers}):
                    row("postgres", workers, provider, postgres, clients=clients, **asked)
                    if given.statements:
                        tell_statements(postgres, given.turns)


def row(
    storage: str,
    workers: int,
    provider: str,
    postgres: PostgresServer | None,
    *,
    turns: int,
    clients: int,
    steps: bool,
    own: bool,
) -> None:
    """Measure one server."""
    with running_server(storage, provider, postgres, workers=workers, steps=steps) as served:
        tell(storage, str(workers), [served], turns=turns, clients=clients, own=own)
        if steps:
            sys.stdout.write(f"steps of the interpreter a turn: {steps_of(served.folder) / turns:,.0f}\n")


def control(turns: int, clients: int, rounds: int) -> None:
    """Measure what shares nothing but the machine: work of one process, and whole servers, alone and in twos."""
    alone, beside = [], []
    for _ in range(max(3, rounds)):
        alone += work_on(cpus=[0])
        beside += work_on(cpus=[0, 1])
    ratio = median(beside) / median(alone)
    sys.stdout.write(
        f"Python alone {median(alone):.3f} s of CPU, beside its twin {median(beside):.3f}: {ratio:.2f}\n\n"
    )
    sys.stdout.write(HEADER)
    for _ in range(rounds):
        for count in (1, 2):
            with ExitStack() as stack:
                unrelated = []
                for _ in range(count):
                    provider = stack.enter_context(running_mock())
                    postgres = stack.enter_context(running_postgres(options=MEMORY, fsync=True))
                    server = running_server("postgres", provider, postgres, workers=1, steps=False)
                    unrelated.append(stack.enter_context(server))
                tell("postgres", f"{count} x 1, unrelated", unrelated, turns=turns, clients=clients)


def work_on(*, cpus: Sequence[int]) -> list[float]:
    """Run the same work on each of some cores at once, and return the CPU time that each took, in seconds."""
    command = [sys.executable, "-c", WORK]
    running = [
        subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=subprocess.PIPE, text=True)  # noqa: S603, S607
        for cpu in cpus
    ]
    return [float(process.communicate()[0]) for process in running]


def tell(storage: str, workers: str, servers: Sequence[Served], *, turns: int, clients: int, own: bool = False) -> None:
    """Send turns by clients of each server, and print what they took, of all servers together."""

    def load_all(count: int) -> list[dict[str, float]]:
        with ThreadPoolExecutor() as threads:
            return list(threads.map(lambda served: load(served.port, count, clients=clients, own=own), servers))

    load_all(WARM_UP)
    for served in servers:
        forget_statements(served.postgres)
        (served.folder / "begin").touch()
    time.sleep(0.5)  # until counting has begun where it is to be counted
    before = [(cpu_of(served.pid), cpu_of_database(served.postgres)) for served in servers]
    seen = load_all(turns)
    after = [(cpu_of(served.pid), cpu_of_database(served.postgres)) for served in servers]
    for served in servers:
        (served.folder / "end").touch()
    if errors := [one["errors"] for one in seen if one["errors"]]:
        raise SystemExit(f"not all turns were answered: {errors}")
    count = sum(one["replies"] for one in seen)
    server, database = (sum(a[n] - b[n] for a, b in zip(after, before, strict=True)) for n in (0, 1))
    costs = [f"{1e3 * one / count:.3f}" for one in (server, database, server + database)]
    rate = sum(one["replies_s"] for one in seen)
    latencies = [max(one[name] for one in seen) for name in ("latency_p50_ms", "latency_p99_ms")]
    cells = [storage, workers, clients, f"{rate:.0f}", *costs, *latencies]
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    sys.stdout.flush()


def steps_of(folder: Path) -> int:
    """Add up the steps that the processes of a server have counted."""
    time.sleep(1)  # until each has written its own
    return sum(int(one.read_text()) for one in folder.glob("*.steps"))


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
def running_server(
    storage: str, provider: str, postgres: PostgresServer | None, *, workers: int, steps: bool
) -> Iterator[Served]:
    """Run ``idol serve``; its database is emptied before."""
    with tempfile.TemporaryDirectory(prefix="idolchat-turns-") as place:
        folder = Path(place)
        environment = {
            **os.environ,
            "IDOLCHAT_STORAGE": storage,
            "IDOLCHAT_DATA_DIR": str(folder / "data"),
            "OPENROUTER_BASE_URL": provider,
            "OPENROUTER_API_KEY": "none",
            "IDOLCHAT_PLUGINS": PLUGINS,
            "IDOLCHAT_PORT": "0",
            "IDOLCHAT_API_LOG_LEVEL": "error",
            "IDOLCHAT_MAX_TURNS": "100000",
        }
        if postgres is not None:
            postgres.drop_database(DATABASE)
            environment["IDOLCHAT_POSTGRES_URL"] = postgres.make_database(DATABASE)
        if steps:
            (folder / "sitecustomize.py").write_text(COUNTING)
            environment["PYTHONPATH"] = place
        command = [sys.executable, "-m", "idolchat_cli", "serve", "--workers", str(workers)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
            try:
                port = int(_said_by(process, r"(?<=http://127\.0\.0\.1:)\d+"))
                time.sleep(2)  # until all workers serve
                yield Served(process.pid, port, folder, postgres)
            finally:
                process.terminate()


def _said_by(process: subprocess.Popen[str], pattern: str) -> str:
    for line in process.stdout or ():
        if found := re.search(pattern, line):
            return found[0]
    raise SystemExit(f"a process ended without having said where it serves: {process.args!r}")


def load(port: int, turns: int, *, clients: int, own: bool = False) -> dict[str, float]:
    """Send so many turns from clients, and return what they have seen."""
    body = {
        "messages": [{"role": "user", "content": "A message of some length, as people send them. " * 9}],
        "conversation_id": "@OWN@" if own else "@POOL@",
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


def forget_statements(postgres: PostgresServer | None) -> None:
    """Count what the database is asked from now on, where that is counted."""
    if postgres is not None and "pg_stat_statements" in postgres.query("show shared_preload_libraries"):
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
