"""What `idol` costs on a data folder with many conversations.

    python benchmarks/conversations.py FOLDER
    python benchmarks/cli.py FOLDER [--heavy]

Prints a Markdown table: CPU is user and system time of the whole process, best of five; "after start" is without that
of `idol plugins list`, which imports the same and opens nothing. With --heavy, rates of verify, export, migrate (to a
folder beside it, which is removed) and reindex, and the memory they take at most (Linux: ru_maxrss of the process).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

IDOL = Path(sys.executable).with_name("idol")
BEST_OF = 5
LIGHT = {
    "--help": ["--help"],
    "conversations list": ["conversations", "list"],
    "conversations list --since": ["conversations", "list", "--since", "2025-12-01"],
    "conversations search, a common word": ["conversations", "search", "concert"],
    "conversations search, a rare word": ["conversations", "search", "mikutour7"],
    "conversations search, Korean": ["conversations", "search", "안녕"],
    "storage stats": ["storage", "stats"],
}


def run(folder: Path, arguments: list[str]) -> tuple[float, float, int]:
    """Run a command; give wall and CPU time in seconds, and memory in bytes."""
    env = {**os.environ, "IDOLCHAT_DATA_DIR": str(folder)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled once
    begun = time.perf_counter()
    process = subprocess.Popen([IDOL, *arguments], env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"idol {' '.join(arguments)} ended with {process.returncode}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def light(folder: Path) -> None:
    """Print what short commands cost."""
    run(folder, ["conversations", "search", "concert"])  # whose index may be behind
    start_s = min(run(folder, ["plugins", "list"])[1] for _ in range(BEST_OF))
    print(f"\nStart: {start_s * 1000:.0f} ms\n\n| idol | CPU ms | after start |\n|---|---:|---:|")
    for name, arguments in LIGHT.items():
        cpu_s = min(run(folder, arguments)[1] for _ in range(BEST_OF))
        after = "" if name == "--help" else f"{max(cpu_s - start_s, 0) * 1000:.0f}"
        print(f"| {name} | {cpu_s * 1000:.0f} | {after} |", flush=True)


def heavy(folder: Path) -> None:
    """Print the rates of long commands."""
    count = sum(1 for _ in (folder / "conversations").glob("??/*.json"))
    target, archive = folder.with_name(f"{folder.name}-copy"), folder.with_name(f"{folder.name}.jsonl")
    print("\n| idol | conversations/s | CPU s | memory MB |\n|---|---:|---:|---:|")
    try:
        for arguments in (
            ["storage", "verify"],
            ["conversations", "export", "-o", str(archive)],
            ["storage", "migrate", "--to", f"local:{target}"],
            ["storage", "reindex"],
        ):
            wall_s, cpu_s, memory = run(folder, arguments)
            print(
                f"| {' '.join(arguments[:2])} | {count / wall_s:,.0f} | {cpu_s:.0f} | {memory / 1e6:.0f} |", flush=True
            )
    finally:
        shutil.rmtree(target, ignore_errors=True)
        archive.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--heavy", action="store_true")
    arguments = parser.parse_args()
    light(arguments.folder)
    if arguments.heavy:
        heavy(arguments.folder)


if __name__ == "__main__":
    main()
