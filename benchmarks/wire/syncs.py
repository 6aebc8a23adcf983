"""How often the disk was waited for: alone, each acknowledged turn must have been, for its message and for its reply.

Where several wait at once, one call syncs the file system for all of them if that is the quicker way.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from tests.support.faults import Faults, Kind, compile_shim

from benchmarks.wire.gateway import Gateway
from benchmarks.wire.measure import ROOT, load_of
from benchmarks.wire.process import CORES, Process
from benchmarks.wire.scenario import SCENARIOS

__all__ = ["syncs_table"]

TURNS = 2000


def syncs_table(gateway: Gateway, upstream: str) -> str:
    """Count the syncs below the data folder for 2,000 turns, one at a time and 64 at once, as Markdown.

    Needs a C compiler, for the library that counts the calls.
    """
    lines = ["\n### Syncs a turn\n", "| | turns | syncs | a turn |", "|---|---:|---:|---:|"]
    for name in ("rest-1", "rest-64"):
        turns, syncs = _counted(gateway, upstream, name)
        lines.append(f"| {gateway.name}, {name} | {turns:,} | {syncs:,} | {syncs / turns:.2f} |")
    return "\n".join(lines)


def _counted(gateway: Gateway, upstream: str, scenario: str) -> tuple[int, int]:
    assert gateway.prepare is not None
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        setup = gateway.prepare(folder, upstream)
        faults = Faults(folder / "faults", root=folder / "data")
        shim = {"LD_PRELOAD": str(compile_shim(folder)), "FAULTS": str(faults.path)}
        environment = {**setup.environment, **shim}
        with Process(setup.command, cores=CORES, environment=environment, folder=folder, log=folder / "log") as process:
            process.wait_until_answering(f"http://127.0.0.1:{setup.port}{setup.ready}")
            load = replace(load_of(gateway, setup, SCENARIOS[scenario]), seconds=120.0, requests=TURNS)
            _run(replace(load, requests=TURNS))  # the conversations are made
            faults.count_only(Kind.SYNC)
            before = faults.count
            turns = _run(load)
            return turns, faults.count - before


def _run(load: object) -> int:
    command = [sys.executable, "-m", "benchmarks.load"]
    said = json.dumps(asdict(load))  # type: ignore[call-overload]
    done = subprocess.run(command, cwd=ROOT, input=said, capture_output=True, text=True, check=True)
    replies: int = json.loads(done.stdout)["replies"]
    return replies
