"""Check what is on this machine before any part is opened: Python, the data folder, ``.env``."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from idolchat_cli.checks.result import CheckResult, fail, ok, warn

__all__ = ["check_data_folder", "check_python"]

MIB = 1024 * 1024
TOO_LITTLE_BYTES = 100 * MIB
LITTLE_BYTES = 1024 * MIB


def check_python() -> CheckResult:
    """Return which Python runs; one that is too old cannot have installed this."""
    return ok("python", f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}")


def check_data_folder(folder: Path) -> Iterator[CheckResult]:
    """Check that the data folder can be written, is private, and has room."""
    folder = folder.absolute()
    try:
        there = folder if folder.exists() else _nearest_parent(folder)
    except OSError as error:
        yield fail("data folder", f"{folder}: {error.strerror}", "set IDOLCHAT_DATA_DIR to another folder")
        return
    if not there.is_dir():
        yield fail("data folder", f"{there} is not a folder", "set IDOLCHAT_DATA_DIR to a folder")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield fail(
            "data folder",
            f"{there} cannot be written by this user",
            f"give it to this user (chown), or set IDOLCHAT_DATA_DIR to a folder of theirs; wanted: {folder}",
        )
    elif problem := _not_made(folder):
        yield fail("data folder", f"{folder} cannot be made: {problem}", "set IDOLCHAT_DATA_DIR to another folder")
    else:
        yield _privacy(folder)
        yield _room(there)


def _not_made(folder: Path) -> str | None:
    """Make a folder that is missing, as a start would, and remove it; what kept it from being made, if anything."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    made: list[Path] = []
    try:
        for one in reversed(missing):
            one.mkdir(mode=0o700)
            made.append(one)
    except OSError as error:
        return error.strerror
    finally:
        for one in reversed(made):
            one.rmdir()
    return None


def _nearest_parent(folder: Path) -> Path:
    return next(parent for parent in folder.parents if parent.exists())


def _privacy(folder: Path) -> CheckResult:
    if not folder.exists():
        return ok("data folder", f"{folder}, made when the first conversation is stored")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if os.name == "posix" and mode & 0o007:
        return warn(
            "data folder", f"{folder} is open to everybody on this machine (mode {mode:o})", f"chmod o-rwx {folder}"
        )
    return ok("data folder", str(folder))


def _room(folder: Path) -> CheckResult:
    free_bytes = shutil.disk_usage(folder).free
    message = f"{free_bytes / MIB:,.0f} MiB free in {folder}"
    if free_bytes < TOO_LITTLE_BYTES:
        return fail("free space", message, "make room: when the disk is full, messages are refused")
    if free_bytes < LITTLE_BYTES:
        return warn("free space", message, "make room before the disk is full: messages are refused then")
    return ok("free space", message)
