"""What does not move with the load of the machine: instructions and calls of the system that a turn takes.

Instructions are those in user space, by callgrind; ``callgrind_annotate`` shows where they went, in what is kept.
"""

import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.load.options import Load
from benchmarks.wire.gateway import Gateway, Setup
from benchmarks.wire.measure import load_of, run_load
from benchmarks.wire.process import CORES, Process
from benchmarks.wire.scenario import SCENARIOS, Scenario

__all__ = ["counts_table"]

COUNTED = ("rest-1", "rest-64", "rest-64-new", "sse-32")
TURNS = 200
AT_ONCE = 16
"""Under callgrind a turn takes fifty times as long: more at once would only wait."""
START_S = 600.0
DRAIN_S = 3.0
"""Until what is written behind a turn is written, there too."""


def counts_table(gateways: Iterable[Gateway], upstream: str, *, keep: Path | None) -> str:
    """Count for some scenarios, as Markdown; what cannot be counted here is told in its place."""
    missing = [name for name in ("valgrind", "strace") if shutil.which(name) is None]
    head = "\n### Instructions and calls of the system a turn\n"
    if missing:
        return f"{head}\nNot counted: {' and '.join(missing)} are needed (apt-get install {' '.join(missing)})."
    columns = "million instructions | of the event loop's thread | system calls"
    lines = [head, f"| | {columns} | of these, most often |", "|---|---:|---:|---:|---|"]
    for gateway in gateways:
        for name in COUNTED:
            every, loops = _instructions(gateway, upstream, SCENARIOS[name], keep=keep)
            calls = _system_calls(gateway, upstream, SCENARIOS[name])
            most = ", ".join(f"{name} {calls[name]:.1f}" for name in sorted(calls, key=calls.__getitem__)[:-7:-1])
            cells = f"{every / 1e6:.2f} | {loops / 1e6:.2f} | {sum(calls.values()):.1f} | {most}"
            lines.append(f"| {gateway.name}, {name} | {cells} |")
    return "\n".join(lines)


def _instructions(gateway: Gateway, upstream: str, scenario: Scenario, *, keep: Path | None) -> tuple[int, int]:
    """Count a turn's instructions: in all threads, and in the first."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) if keep is None else keep / f"{gateway.name}, {scenario.name}"
        out.mkdir(parents=True, exist_ok=True)
        for old in out.glob("callgrind*"):
            old.unlink()
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes"]
        command.append(f"--callgrind-out-file={out / 'callgrind'}")
        with _started(gateway, upstream, Path(place), before=command) as (process, setup):
            load = _load(gateway, setup, replace(scenario, connections=min(scenario.connections, AT_ONCE)))
            for what in ("--instr=on", "--zero"):
                _control(process, what)
            turns = _turns(load)
            _control(process, "--dump")
        threads = [_total(path) // turns for path in sorted(out.glob("callgrind.1-*"))]
    return sum(threads), threads[0]


def _control(process: Process, what: str) -> None:
    subprocess.run(["callgrind_control", what, str(process.pid)], check=True, capture_output=True)


def _total(dump: Path) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", dump.read_text(errors="replace"), re.MULTILINE)
    return int(found[1]) if found else 0


def _system_calls(gateway: Gateway, upstream: str, scenario: Scenario) -> dict[str, float]:
    """Count a turn's calls of the system, by name."""
    with tempfile.TemporaryDirectory() as place, _started(gateway, upstream, Path(place)) as (process, setup):
        load, told = _load(gateway, setup, scenario), Path(place) / "strace"
        command = ["strace", "-f", "-c", "-o", str(told), "-p", str(process.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as tracer:
            assert tracer.stderr is not None
            tracer.stderr.readline()  # it says that it has begun
            turns = _turns(load)
            tracer.terminate()
        rows = [line.split() for line in told.read_text().splitlines()]
    return {row[-1]: int(row[3]) / turns for row in rows if len(row) > 4 and row[3].isdigit() and row[-1] != "total"}


@contextmanager
def _started(
    gateway: Gateway, upstream: str, folder: Path, *, before: Sequence[str] = ()
) -> Generator[tuple[Process, Setup]]:
    assert gateway.prepare is not None
    setup = gateway.prepare(folder, upstream)
    command = [*before, *setup.command]
    log = folder / "log"
    with Process(command, cores=CORES, environment=setup.environment, folder=folder, log=log) as process:
        process.wait_until_answering(f"http://127.0.0.1:{setup.port}{setup.ready}", within_s=START_S)
        yield process, setup


def _load(gateway: Gateway, setup: Setup, scenario: Scenario) -> Load:
    """Describe a load, once what it needs is imported and, where they are to be, its conversations known."""
    load = load_of(gateway, setup, scenario)
    load = replace(load, seconds=300.0, requests=TURNS, conversations=TURNS, drain_s=300.0, ramp_s=0.0)
    _turns(load if scenario.known else replace(load, tag=secrets.token_hex(4)))
    return load


def _turns(load: Load) -> int:
    seen, _ = run_load(load)
    time.sleep(DRAIN_S)
    replies: int = seen["replies"]
    return replies
