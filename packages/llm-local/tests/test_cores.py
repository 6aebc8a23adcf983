"""How many threads are taken, on machines laid out as files of /sys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from idolchat_llm_local.cores import usable_cores

CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_cpus_of_the_same_core_count_once(tmp_path: Path) -> None:
    for cpu in CPUS:
        _write(tmp_path / f"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", "0-127\n")

    assert usable_cores(tmp_path) == 1


def test_cpus_of_unknown_cores_count_each(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == len(CPUS)


@pytest.mark.parametrize(("quota", "cores"), [("50000 100000", 1), ("100000 100000", 1), ("max 100000", len(CPUS))])
def test_a_container_s_quota_is_not_exceeded(tmp_path: Path, quota: str, cores: int) -> None:
    _write(tmp_path / "fs/cgroup/cpu.max", quota)

    assert usable_cores(tmp_path) == cores


def test_this_machine_has_at_least_one() -> None:
    assert 1 <= usable_cores() <= len(CPUS)
