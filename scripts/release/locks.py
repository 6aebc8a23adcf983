"""Whether the lock files follow from what the packages declare."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["lock_problems"]


def lock_problems(root: Path) -> Iterator[str]:
    """Make the lock files anew, yield which would change, and leave all as they were."""
    before = {file: file.read_bytes() for file in sorted(root.glob("requirements*.lock"))}
    try:
        # ARGS of the `make test` that asks for this are handed down, and are not for uv.
        done = subprocess.run(["make", "lock", "ARGS="], cwd=root, capture_output=True, text=True, check=False)
        changed = [file.name for file, held in before.items() if file.read_bytes() != held]
    finally:
        for file, held in before.items():
            file.write_bytes(held)
    if done.returncode:
        yield f"the lock files cannot be made, so that nobody knows whether they are current: {done.stderr.strip()}"
    elif not before:
        yield "there is no lock file: run `make lock` and commit what it writes"
    elif changed:
        yield f"{', '.join(changed)} no longer follows from the pyproject.toml files: run `make lock` and commit it"
