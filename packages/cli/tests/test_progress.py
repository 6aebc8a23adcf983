"""Bars and questions: for somebody at a terminal, and in nobody's way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pexpect
import pytest

TASK = """
import sys, threading
from idolchat_cli.progress import progress
with progress("Copying", total=2000, unit="files") as copying:
    copying.advance(1234)
    if {waits}:
        threading.Event().wait({waits})
print("done")
"""
QUESTION = """
from idolchat_cli.confirmation import confirm
import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

@app.command()
def remove(yes: bool = False):
    confirm("Remove everything?", yes=yes)
    print("removed")

app()
"""


def test_a_long_task_shows_a_bar_with_its_count(terminal: Callable[..., pexpect.spawn[str]]) -> None:
    child = terminal("-c", TASK.format(waits=60), program=sys.executable)

    child.expect("Copying")
    child.expect("1,234 of 2,000 files")


def test_a_short_task_shows_none(terminal: Callable[..., pexpect.spawn[str]]) -> None:
    child = terminal("-c", TASK.format(waits=0), program=sys.executable)
    child.expect(pexpect.EOF)

    assert child.before == "done\r\n"


def test_there_are_no_bars_where_nobody_looks() -> None:
    done = subprocess.run([sys.executable, "-c", TASK.format(waits=1.3)], capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.parametrize(("answer", "said", "status"), [("y", "removed", 0), ("n", "Aborted", 1)])
def test_the_answer_decides(terminal: Callable[..., pexpect.spawn[str]], answer: str, said: str, status: int) -> None:
    child = terminal("-c", QUESTION, program=sys.executable)
    child.expect(r"Remove everything\? \[y/N\]: ")
    child.sendline(answer)
    child.expect(said)
    child.expect(pexpect.EOF)
    child.wait()

    assert child.exitstatus == status


@pytest.mark.parametrize(("flags", "status", "said"), [(["--yes"], 0, "removed\n"), ([], 2, "")])
def test_where_nobody_can_be_asked_yes_is_needed(flags: list[str], status: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUESTION, *flags], input="y\n", capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (status, said)
    assert ("--yes" in done.stderr) == bool(status)
