"""One row: a gateway under one load."""

import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID

from benchmarks.load.options import Load
from benchmarks.load.run import conversation
from benchmarks.wire.gateway import Gateway, Setup
from benchmarks.wire.process import CORES, Process, busy_s
from benchmarks.wire.scenario import Scenario

__all__ = ["GATEWAY_CORES", "OTHER_CORES", "ROOT", "Bench", "load_of", "run_load"]

ROOT = Path(__file__).parents[2]
GATEWAY_CORES = CORES[:1]
OTHER_CORES = CORES[1:] or CORES
KNOWN = 2000
LOOK_S = 0.25
DRAINS, QUIET = 40, 4
"""Looks at most, and in a row that find it idle."""
IDLE = 0.02
"""Of a core: what a gateway takes that has nothing to do."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A model server, and a gateway before it."""

    upstream: Process
    gateway: Gateway
    setup: Setup
    process: Process

    def measure(self, scenario: Scenario) -> dict[str, Any]:
        """Warm up, run the load, and tell what the gateway's process tree took, with what it then still wrote."""
        load = load_of(self.gateway, self.setup, scenario)
        self._warm_up(load, scenario)
        ours = {self.upstream, self.process}
        before, begun_s, machine_before = _cpu(ours), self.process.cpu_s(), busy_s()
        idle_mb = self.process.pss_mb()
        seen, load_s, peak_mb = self._loaded(load)
        others_s = busy_s() - machine_before - (_cpu(ours) - before) - load_s
        self._drain()
        cpu_s = self.process.cpu_s() - begun_s
        requests = max(seen["replies"] + sum(seen["errors"].values()), 1)
        return {
            "gateway": self.gateway.name,
            "scenario": scenario.name,
            **seen,
            "cpu_us_request": round(cpu_s * 1e6 / requests, 1),
            "cpu_us_delta": round(cpu_s * 1e6 / requests / scenario.deltas, 2) if scenario.deltas else None,
            "kb_connection": round((peak_mb - idle_mb) * 1024 / scenario.connections, 1),
            "peak_mb": round(peak_mb, 1),
            "others": round(max(others_s, 0) / seen["wall_s"], 2),
        }

    def _warm_up(self, load: Load, scenario: Scenario) -> None:
        # Other conversations than those to be measured, unless these are to be known.
        few = replace(load, connections=min(load.connections, 32), seconds=1.0, ramp_s=0.0, tag=secrets.token_hex(4))
        run_load(few)
        if scenario.history and self.gateway.remember is not None:
            self.gateway.remember(self.setup, UUID(conversation(load.tag, 0)), scenario.history)
        if scenario.known:
            run_load(replace(few, tag=load.tag, seconds=120.0, requests=KNOWN))

    def _drain(self) -> None:
        """Wait until what it writes behind its replies is written."""
        quiet, taken_s = 0, self.process.cpu_s()
        for _ in range(DRAINS):
            time.sleep(LOOK_S)
            before_s, taken_s = taken_s, self.process.cpu_s()
            quiet = quiet + 1 if taken_s - before_s < IDLE * LOOK_S else 0
            if quiet == QUIET:
                return

    def _loaded(self, load: Load) -> tuple[dict[str, Any], float, float]:
        peak_mb, is_over = 0.0, Event()

        def watch() -> None:
            nonlocal peak_mb
            while not is_over.wait(LOOK_S):
                peak_mb = max(peak_mb, self.process.pss_mb())

        watcher = Thread(target=watch)
        watcher.start()
        own_s = time.process_time()
        try:
            seen, load_s = run_load(load)
        finally:
            is_over.set()
            watcher.join()
        return seen, load_s + time.process_time() - own_s, peak_mb


def load_of(gateway: Gateway, setup: Setup, scenario: Scenario) -> Load:
    """Describe the load of a scenario for a gateway, on conversations of its own."""
    return Load(
        host="127.0.0.1",
        port=setup.port,
        path=gateway.paths[scenario.mode],
        mode=scenario.mode,
        model=scenario.model,
        body=gateway.ws_body if scenario.mode == "ws" else gateway.body,
        connections=scenario.connections,
        seconds=scenario.seconds,
        tag=secrets.token_hex(4),
        ramp_s=scenario.ramp_s,
        conversations=1 if scenario.history else KNOWN,
        headers=setup.headers,
        least_deltas=scenario.deltas,
    )


def _cpu(processes: set[Process]) -> float:
    return sum(process.cpu_s() for process in processes)


def run_load(load: Load) -> tuple[dict[str, Any], float]:
    """Run the clients on the other cores; give what they saw and the CPU time that they took."""
    timed = ["taskset", "-c", ",".join(map(str, OTHER_CORES)), sys.executable, "-m", "benchmarks.load"]
    before = _children_s()
    done = subprocess.run(timed, cwd=ROOT, input=json.dumps(asdict(load)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout), _children_s() - before


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system
