"""What a turn costs with PostgreSQL: CPU of the server's processes and of the database, with one worker and with more.

    python packages/storage-postgres/benchmarks/turns.py --turns 4000 --workers 1 2

It uses the mock provider and the load of the repository that it stands in. 64 clients send whole messages over HTTP,
each turn in one of 500 conversations. CPU is user and system time of whole process trees, from /proc, so that what
else runs on the machine adds little. Where there are more cores than two, more workers show how it scales.
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
from contextlib import contextmanager
from pathlib import Path

from idolchat_storage_postgres.testing import PostgresServer, running_postgres

ROOT = Path(__file__).parents[3]
TICKS_S = os.sysconf("SC_CLK_TCK")
CLIENTS = 64
WARM_UP, CONVERSATIONS = 1000, 500
PLUGINS = "storage-postgres,storage-local,llm-openrouter"


def main() -> None:
    """Measure, and print a row for each."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--turns", type=int, default=4000)
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    given = options.parse_args()
    told = "| storage | workers | turns/s | ms server CPU a turn | ms database CPU a turn | both | p50 ms | p99 ms |\n"
    sys.stdout.write(told + "|---|---:|---:|---:|---:|---:|---:|---:|\n")
    memory = ["shared_buffers=256MB", "max_wal_size=4GB", "max_connections=200"]
    with running_mock() as provider, running_postgres(options=memory, fsync=True) as postgres:
        row("local", 1, provider, None, turns=given.turns)
        for workers in given.workers:
            row("postgres", workers, provider, postgres, turns=given.turns)


def row(storage: str, workers: int, provider: str, postgres: PostgresServer | None, *, turns: int) -> None:
    """Measure one server."""
    with tempfile.TemporaryDirectory(prefix="idolchat-turns-") as folder:
        given = {"IDOLCHAT_STORAGE": storage, "IDOLCHAT_DATA_DIR": f"{folder}/data", "OPENROUTER_BASE_URL": provider}
        if postgres is not None:
            given["IDOLCHAT_POSTGRES_URL"] = postgres.make_database(f"turns_{workers}")
        with running_server(given, workers=workers) as (pid, port):
            load(port, WARM_UP)
            before = cpu_of(pid), cpu_of_database(postgres)
            seen = load(port, turns)
            server, database = cpu_of(pid) - before[0], cpu_of_database(postgres) - before[1]
    if seen["errors"]:
        raise SystemExit(f"not all turns were answered: {seen['errors']}")
    count = seen["replies"]
    costs = [1e3 * one / count for one in (server, database, server + database)]
    figures = [seen["replies_s"], *(f"{cost:.3f}" for cost in costs), seen["latency_p50_ms"], seen["latency_p99_ms"]]
    sys.stdout.write(f"| {storage} | {workers} | {' | '.join(map(str, figures))} |\n")
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


def load(port: int, turns: int) -> dict[str, float]:
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
        "connections": CLIENTS,
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


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that a process and all that it has started have used."""
    used = 0.0
    for each in [pid, *descendants(pid)]:
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
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [one for child in map(int, children) for one in (child, *descendants(child))]


if __name__ == "__main__":
    main()
