"""How much memory a process takes."""

from pathlib import Path

MIB = 1024 * 1024


def resident_mib(pid: int) -> float:
    """Read the resident set of a process, in MiB."""
    return _status(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    """Read the most that the resident set was since ``reset_peak``, or since the start, in MiB."""
    return _status(pid, "VmHWM")


def reset_peak(pid: int) -> None:
    """Begin to measure the peak anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024
