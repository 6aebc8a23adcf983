"""What a turn costs with PostgreSQL: CPU of the server's processes and of the database, with one worker and with more.

    python packages/storage-postgres/benchmarks/turns.py --workers 1 2
    python packages/storage-postgres/benchmarks/turns.py --statements    what the database was asked, a turn
    python packages/storage-postgres/benchmarks/turns.py --steps         steps of the interpreter, a turn
    python packages/storage-postgres/benchmarks/turns.py --own           each client in conversations of its own
    python packages/storage-postgres/benchmarks/turns.py --control       what the machine itself makes dearer

It uses the mock provider and the load of the repository that it stands in. Clients send whole messages over HTTP, each
turn in one of 500 conversations: whichever comes next, so that of two workers each finds every second one changed by
the other; or with ``--own`` one that only this client goes on with, over its one connection, as an app does. CPU is
user and system time of whole process trees, from /proc, so that what else runs on the machine adds little. Where there
are more cores than two, more workers show how it scales.

All servers run from the beginning to the end, and each gets some turns in turn, over connections that stay: what else
the machine does moves the cost of a turn by a third within seconds, and so it is the same for all. A row holds the
medians of all rounds; its ratio is the median of what a round took of both, by what the first row with PostgreSQL took.

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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from idolchat_storage_postgres.testing import PostgresServer, running_postgres

ROOT = Path(__file__).parents[3]
TICKS_S = os.sysconf("SC_CLK_TCK")
CONVERSATIONS = 500
PLUGINS = "storage-postgres,storage-local,llm-openrouter"

HEADER = """\
| storage | workers | clients | turns/s | ms CPU: server | database | both | lowest, highest | ratio | p50 ms | p99 ms |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
"""
MEMORY = ("shared_buffers=256MB", "max_wal_size=4GB", "max_connections=200")
COUNTING = """
import os, sys, threading, time
from itertools import count
from pathlib import Path

FOLDER = Path(__file__).parent
COUNTS = os.fspath(FOLDER / "counts")
monitoring = sys.monitoring
steps = count()

def _count(code, offset):
    next(steps)

def _watch():
    counted = 0
    while True:
        while not os.path.exists(COUNTS):
            time.sleep(0.05)
        monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.INSTRUCTION)
        while os.path.exists(COUNTS):  # which takes few steps, for they are counted, too
            time.sleep(0.05)
        monitoring.set_events(monitoring.PROFILER_ID, 0)
        before, counted = counted, next(steps) + 1
        (FOLDER / f"{os.getpid()}.steps").write_text(str(counted - before))

def _start():
    threading.Thread(target=_watch, daemon=True).start()

monitoring.use_tool_id(monitoring.PROFILER_ID, "steps")
monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.INSTRUCTION, _count)
os.register_at_fork(after_in_child=_start)
_start()
"""
"""Counts what a process does while there is a file that another one makes, and then writes how much it was."""
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
    database: str


class Cost(NamedTuple):
    """What the turns of a round took: CPU in ms a turn, steps of the interpreter a turn, turns a second, and ms."""

    server: float
    database: float
    steps: float
    rate: float
    p50: float
    p99: float

    @property
    def both(self) -> float:
        return self.server + self.database


@dataclass(frozen=True, slots=True)
class Case:
    """A row: servers, and the clients that each of them has."""

    storage: str
    workers: str
    clients: int
    servers: Sequence[Served]
    loads: Sequence[subprocess.Popen[str]]
    costs: list[Cost]


def main() -> None:
    """Measure, and print a row for each."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--turns", type=int, default=600, help="of a round, of each server")
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options.add_argument("--clients", type=int, default=64, help="of one worker")
    options.add_argument("--rounds", type=int, default=50)
    options.add_argument("--statements", action="store_true", help="count them too, which takes some CPU of its own")
    options.add_argument(
        "--steps", action="store_true", help="count them too, which makes a server three times as slow"
    )
    options.add_argument("--own", action="store_true", help="let each client keep to conversations of its own")
    options.add_argument("--control", action="store_true", help="measure only what shares nothing")
    given = options.parse_args()
    with ExitStack() as stack:
        cases = [*(control_cases if given.control else server_cases)(stack, given)]
        for number in range(given.rounds):
            for case in cases:
                if given.statements:
                    forget_statements(case.servers)
                case.costs.append(measured(case, turns=given.turns, counts_steps=given.steps))
                if given.statements and number == given.rounds - 1:
                    tell_statements(case, given.turns)
        tell(cases, counts_steps=given.steps)
    if given.control:
        tell_work(min(given.rounds, 10))


def server_cases(stack: ExitStack, given: argparse.Namespace) -> Iterator[Case]:
    """Start the servers that are compared: one that uses files, and one for each number of workers."""
    counted = ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on"]
    options = [*MEMORY, *counted] if given.statements else MEMORY
    provider = stack.enter_context(running_mock())
    postgres = stack.enter_context(running_postgres(options=options, fsync=True))
    local = stack.enter_context(running_server(provider, None, workers=1, steps=given.steps))
    yield case_of(stack, "local", "1", [local], clients=given.clients, given=given)
    for workers in given.workers:
        served = stack.enter_context(running_server(provider, postgres, workers=workers, steps=given.steps))
        for clients in sorted({given.clients, given.clients * workers}):
            yield case_of(stack, "postgres", str(workers), [served], clients=clients, given=given)


def control_cases(stack: ExitStack, given: argparse.Namespace) -> Iterator[Case]:
    """Start two servers that share nothing but the machine: one of them is measured alone, then both at once."""
    servers = []
    for _ in range(2):
        provider = stack.enter_context(running_mock())
        postgres = stack.enter_context(running_postgres(options=MEMORY, fsync=True))
        servers.append(stack.enter_context(running_server(provider, postgres, workers=1, steps=given.steps)))
    for count in (1, 2):
        yield case_of(stack, "postgres", f"{count} x 1, unrelated", servers[:count], clients=given.clients, given=given)


def case_of(
    stack: ExitStack,
    storage: str,
    workers: str,
    servers: Sequence[Served],
    *,
    clients: int,
    given: argparse.Namespace,
) -> Case:
    """Start the clients of a row."""
    loads = [
        stack.enter_context(running_load(served.port, given.turns, clients=clients, own=given.own))
        for served in servers
    ]
    return Case(storage, workers, clients, servers, loads, [])


def measured(case: Case, *, turns: int, counts_steps: bool) -> Cost:
    """Send turns by the clients of a row, and return what they took, of all its servers together."""
    if counts_steps:
        for served in case.servers:
            (served.folder / "counts").touch()
        time.sleep(0.5)  # until it is seen
    before = [(cpu_of(served.pid), cpu_of_database(served.postgres)) for served in case.servers]
    seen = sent(case.loads)
    after = [(cpu_of(served.pid), cpu_of_database(served.postgres)) for served in case.servers]
    count = turns * len(case.servers)
    server, database = (1e3 * sum(a[n] - b[n] for a, b in zip(after, before, strict=True)) / count for n in (0, 1))
    return Cost(
        server,
        database,
        sum(steps_of(served.folder) for served in case.servers) / count if counts_steps else 0,
        sum(one["replies_s"] for one in seen),
        max(one["latency_p50_ms"] for one in seen),
        max(one["latency_p99_ms"] for one in seen),
    )


def tell(cases: Sequence[Case], *, counts_steps: bool) -> None:
    """Print the medians of all rounds."""
    first = next(case for case in cases if case.storage == "postgres")
    sys.stdout.write(HEADER)
    for case in cases:
        middle = Cost(*map(median, zip(*case.costs, strict=True)))
        both = sorted(cost.both for cost in case.costs)
        times = median(a.both / b.both for a, b in zip(case.costs, first.costs, strict=True))
        cells = [case.storage, case.workers, str(case.clients), f"{middle.rate:.0f}"]
        cells += [f"{one:.3f}" for one in (middle.server, middle.database, median(both))]
        cells += [f"{both[0]:.2f}, {both[-1]:.2f}", f"{times:.3f}", f"{middle.p50:.1f}", f"{middle.p99:.1f}"]
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
        if counts_steps:
            sys.stdout.write(f"steps of the interpreter a turn: {middle.steps:,.0f}\n")


def tell_work(rounds: int) -> None:
    """Print what the same work of one process takes, alone and beside its twin."""
    alone, beside = [], []
    for _ in range(rounds):
        alone += work_on(cpus=[0])
        beside += work_on(cpus=[0, 1])
    ratio = median(beside) / median(alone)
    sys.stdout.write(
        f"\nPython alone {median(alone):.3f} s of CPU, beside its twin {median(beside):.3f}: {ratio:.2f}\n"
    )


def work_on(*, cpus: Sequence[int]) -> list[float]:
    """Run the same work on each of some cores at once, and return the CPU time that each took, in seconds."""
    command = [sys.executable, "-c", WORK]
    running = [
        subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=subprocess.PIPE, text=True)  # noqa: S603, S607
        for cpu in cpus
    ]
    return [float(process.communicate()[0]) for process in running]


def steps_of(folder: Path) -> int:
    """Have a server end counting, and add up the steps that its processes have counted."""
    (folder / "counts").unlink()
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
def running_server(provider: str, postgres: PostgresServer | None, *, workers: int, steps: bool) -> Iterator[Served]:
    """Run ``idol serve``, with a database of its own."""
    with tempfile.TemporaryDirectory(prefix="idolchat-turns-") as place:
        folder, database = Path(place), f"turns_{workers}"
        environment = {
            **os.environ,
            "IDOLCHAT_STORAGE": "local" if postgres is None else "postgres",
            "IDOLCHAT_DATA_DIR": str(folder / "data"),
            "OPENROUTER_BASE_URL": provider,
            "OPENROUTER_API_KEY": "none",
            "IDOLCHAT_PLUGINS": PLUGINS,
            "IDOLCHAT_PORT": "0",
            "IDOLCHAT_API_LOG_LEVEL": "error",
            "IDOLCHAT_MAX_TURNS": "100000",
        }
        if postgres is not None:
            environment["IDOLCHAT_POSTGRES_URL"] = postgres.make_database(database)
        if steps:
            (folder / "sitecustomize.py").write_text(COUNTING)
            environment["PYTHONPATH"] = place
        command = [sys.executable, "-m", "idolchat_cli", "serve", "--workers", str(workers)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
            try:
                port = int(_said_by(process, r"(?<=http://127\.0\.0\.1:)\d+"))
                time.sleep(2)  # until all workers serve
                yield Served(process.pid, port, folder, postgres, database)
            finally:
                process.terminate()


def _said_by(process: subprocess.Popen[str], pattern: str) -> str:
    for line in process.stdout or ():
        if found := re.search(pattern, line):
            return found[0]
    raise SystemExit(f"a process ended without having said where it serves: {process.args!r}")


@contextmanager
def running_load(port: int, turns: int, *, clients: int, own: bool) -> Iterator[subprocess.Popen[str]]:
    """Run clients that have sent so many turns, and do it again whenever they are told to, see ``sent``."""
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
        "tag": f"{clients:08x}",
    }
    command = [sys.executable, "-m", "benchmarks.load"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603
        sent([process], json.dumps(asked))
        yield process
        process.communicate()


def sent(loads: Sequence[subprocess.Popen[str]], said: str = "again") -> list[dict[str, Any]]:
    """Let clients send their turns, all at once, and return what each of them has seen."""
    for process in loads:
        print(said, file=process.stdin, flush=True)
    seen = [json.loads(next(iter(process.stdout or ()))) for process in loads]
    if errors := [one["errors"] for one in seen if one["errors"]]:
        raise SystemExit(f"not all turns were answered: {errors}")
    return seen


def forget_statements(servers: Iterable[Served]) -> None:
    """Count what the database is asked from now on."""
    for served in servers:
        if served.postgres is not None:
            sql = "create extension if not exists pg_stat_statements; select pg_stat_statements_reset()"
            served.postgres.query(sql)


def tell_statements(case: Case, turns: int) -> None:
    """Print the statements that took longest: how often a turn, the rows that one gave, and the us that they took."""
    for served in case.servers:
        if served.postgres is not None:
            told = served.postgres.query(STATEMENTS.format(turns=turns, database=served.database))
            sys.stdout.write(f"{case.workers} workers, {case.clients} clients\n")
            sys.stdout.write(f"a turn | rows of each | us planned, a turn | us run, a turn | statement\n{told}\n\n")


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that a process and all that it has started have used.

    Of what runs, to the nanosecond; ``stat``, which also has what has ended, counts hundredths of a second.
    """
    used = 0.0
    for each in [pid, *descendants(pid)]:
        process = Path(f"/proc/{each}")
        with suppress(FileNotFoundError, ProcessLookupError):  # its parent has its CPU when it has ended
            used += sum(int(thread.read_text().split()[0]) for thread in process.glob("task/*/schedstat")) / 1e9
            used += sum(map(int, (process / "stat").read_text().rpartition(") ")[2].split()[13:15])) / TICKS_S
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
