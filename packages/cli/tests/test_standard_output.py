"""Standard output that cannot be written, by the real program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation

IDOL = Path(sys.executable).with_name("idol")
WAYS = [["--version"], ["--help"], ["config", "show"], ["config", "show", "--json"]]
"""What says it in one piece, and what is only written at the end."""


def into(installation: Installation, stdout: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [IDOL, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=installation.folder,
        env=installation.env,
        timeout=60,
        check=False,
        text=True,
    )


needs_a_full_device = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="this system has no device that is always full"
)


@needs_a_full_device
@pytest.mark.parametrize("arguments", WAYS, ids=" ".join)
def test_a_full_disk_under_standard_output_is_told(installation: Installation, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = into(installation, full.fileno(), *arguments)

    assert (done.returncode, done.stderr) == (1, "Error: standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize("arguments", WAYS, ids=" ".join)
def test_a_reader_that_has_left_ends_a_command_quietly(installation: Installation, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = into(installation, writing, *arguments)
    os.close(writing)

    assert (done.returncode, done.stderr) == (1, "")


@needs_a_full_device
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_key_that_cannot_be_shown_is_not_made(installation: Installation, form: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = into(installation, full.fileno(), "keys", "create", *form)

    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [
            "No key was made, as nobody could see it.",
            "Error: standard output cannot be written: No space left on device",
        ],
    )
    assert installation.records() == set()


def test_a_key_is_not_made_for_a_reader_that_has_left(installation: Installation) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = into(installation, writing, "keys", "create")
    os.close(writing)

    assert (done.returncode, done.stderr) == (1, "No key was made, as nobody could see it.\n")
    assert installation.records() == set()
