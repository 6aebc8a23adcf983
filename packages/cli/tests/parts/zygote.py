"""``idol`` in a tenth of the time: forked from a process that has imported what it is made of, and nothing of a plugin.

What is forked is a process of its own, with its own folder, environment and files, and runs the same ``main``.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["Zygote", "running_zygote"]

IMPORTED = (
    "idolchat_api.server",
    "idolchat_cli.main",
    "idolchat_cli.loading",
    "idolchat_cli.opening",
    "idolchat_cli.progress",
    "idolchat_core.conversations.branches",
    "idolchat_core.testing",
    "rich.progress",
    "rich.table",
)
"""All that takes long; what is missing here only costs time."""


class Zygote:
    """The process that runs are forked from; it does one thing at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, arguments: Sequence[str], folder: Path, env: Mapping[str, str], streams: Path) -> int:
        """Run ``idol`` in a folder, with the files stdin, stdout and stderr in another; give the exit status."""
        assert self._process.stdin
        assert self._process.stdout
        order = {"arguments": arguments, "folder": str(folder), "env": dict(env), "streams": str(streams)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        status: int = json.loads(self._process.stdout.readline())
        return status


@contextmanager
def running_zygote() -> Iterator[Zygote]:
    """Start a zygote."""
    program = [sys.executable, "-W", "error", __file__]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Zygote(process)


# What follows runs in the zygote.


def _obey() -> None:
    while line := sys.stdin.readline():
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            _run(order)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(order: Mapping[str, Any]) -> None:
    streams = Path(order["streams"])
    os.dup2(os.open(streams / "stdin", os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(streams / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.path[1:1] = order["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = ["idol", *order["arguments"]]
    import_module("idolchat_cli.main").main()


if __name__ == "__main__":
    del sys.path[0]  # this file's folder: plugins are found as they are by any idol
    sys.path.insert(0, str(Path(sys.executable).parent))
    for module in IMPORTED:
        import_module(module)
    _obey()
