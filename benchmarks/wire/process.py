"""A process tree and the machine under it, as Linux's /proc tells."""

import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

__all__ = ["CORES", "Process", "busy_s"]

TICKS_S = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
START_S = 120.0
STOP_S = 10.0


class Process:
    """A command in a session of its own, on one or more cores, until it is left."""

    def __init__(
        self, command: Sequence[str], *, cores: Sequence[int], environment: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self.log = log
        self._command = command
        self._cores = cores
        self._environment = environment
        self._folder = folder

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = self._start(log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
                return

    def _start(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        cores = self._cores
        return subprocess.Popen(
            self._command,
            cwd=self._folder,
            env={**os.environ, **self._environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509  # nothing here has threads
        )

    def wait_until_answering(self, url: str, *, within_s: float = START_S) -> None:
        """Wait until it answers a request, whatever it says."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # our own address
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.05)
        said = self.log.read_text(errors="replace")[-2000:]
        raise SystemExit(f"{self._command[0]} does not serve {url}:\n{said}")

    @property
    def pid(self) -> int:
        """The process that was started, and its session."""
        return self._process.pid

    def cpu_s(self) -> float:
        """Add up the CPU time of all its processes, of those that have ended too."""
        return sum(_cpu_s(pid) for pid in self._pids())

    def pss_mb(self) -> float:
        """Return how much memory it takes, what is shared counted in parts."""
        return sum(_pss_kb(pid) for pid in self._pids()) / 1024

    def _pids(self) -> list[int]:
        pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [pid for pid in pids if _session(pid) == self._process.pid]


def busy_s() -> float:
    """Return how long the cores of this machine were busy, together."""
    fields = [int(field) / TICKS_S for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    idle, waiting = fields[3:5]
    return sum(fields) - idle - waiting


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _session(pid: int) -> int | None:
    stat = _stat(pid)
    return int(stat[3]) if stat and stat[0] != "Z" else None


def _cpu_s(pid: int) -> float:
    stat = _stat(pid)
    if not stat:
        return 0.0
    own, children = sum(map(int, stat[11:13])) / TICKS_S, sum(map(int, stat[13:15])) / TICKS_S
    return max(own, _exact_cpu_s(pid)) + children


def _exact_cpu_s(pid: int) -> float:
    """Add up the scheduler's nanoseconds of its threads; ticks are too coarse for a proxy that takes next to none."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _pss_kb(pid: int) -> int:
    try:
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
