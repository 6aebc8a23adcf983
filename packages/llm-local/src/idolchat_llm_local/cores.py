"""How many threads are worth having: physical cores, as far as this process may use them."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

__all__ = ["usable_cores"]


def usable_cores(sysfs: Path = Path("/sys")) -> int:
    """Count physical cores within the CPU affinity and the container's CPU quota; at least 1.

    llama.cpp does arithmetic alone, so that a second thread on the same core only gets in its way.
    """
    return max(1, min(_physical_cores(sysfs), _quota(sysfs) or sys.maxsize))


def _physical_cores(sysfs: Path) -> int:
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return len({_siblings(sysfs, cpu) for cpu in cpus})


def _siblings(sysfs: Path, cpu: int) -> str:
    try:
        return (sysfs / f"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def _quota(sysfs: Path) -> int | None:
    # cgroup v2, as seen within a container: "<microseconds> <per microseconds>" or "max <per microseconds>"
    try:
        allowed, period = (sysfs / "fs/cgroup/cpu.max").read_text().split()
        return math.ceil(int(allowed) / int(period))
    except (OSError, ValueError):
        return None
