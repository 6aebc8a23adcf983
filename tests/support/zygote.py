"""Servers in a twentieth of the time: forked from a process that has imported all they need.

A start of ``idol serve`` is a second of imports; what is forked here runs the same ``idolchat_api.serve``.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.support.server import START_S, Server

__all__ = ["ForkedServer", "Zygote", "running_zygote"]

ROOT = Path(__file__).parents[2]
IMPORTED = (
    "idolchat_api.server",
    "idolchat_auth_supabase.plugin",
    "idolchat_llm_openrouter.provider",
    "idolchat_storage_local.storage",
    "idolchat_storage_supabase.storage",
    "uvloop",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
)
"""All that a start imports; what is missing here only costs time."""
WAITS_FOR_SOURCES = (
    ("idolchat_core.turns.prompting", "SOURCE_TIMEOUT_S"),
    ("idolchat_characters.prompt.source", "PATIENCE_S"),
    ("idolchat_characters.scanning.branch_states", "PATIENCE_S"),
)
"""How long a turn waits for what characters and memory add to its prompt; tests look for it there on busy machines."""


class Zygote:
    """The process that servers are forked from; it does one thing at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, folder: Path, environment: Mapping[str, str], log: Path) -> tuple[int, str]:
        """Start a server; give its process id, and its URL or an empty text when it has ended at once."""
        told = self._ask(start=str(folder), environment=dict(environment), log=str(log))
        return told["pid"], told["url"]

    def wait(self, pid: int) -> int:
        """Wait for a server's end, a minute at most; give its exit status, negative for a signal."""
        end = os.pidfd_open(pid)
        try:
            ended, _, _ = select.select([end], [], [], START_S)
        finally:
            os.close(end)
        assert ended, f"server process {pid} does not end"
        status: int = self._ask(wait=pid)["status"]
        return status

    def _ask(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told


class ForkedServer(Server):
    """A server that is forked from a zygote."""

    def __init__(self, folder: Path, environment: Mapping[str, str], zygote: Zygote) -> None:
        super().__init__(folder, environment)
        self._pid: int | None = None
        self._zygote = zygote

    @property
    def pid(self) -> int:
        """The running process's id."""
        assert self._pid is not None, "the server is not running"
        return self._pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and its end was not waited for."""
        return self._pid is not None

    def __exit__(self, *_: object) -> None:
        """Kill it if it runs."""
        if self._pid is not None:
            self.kill()

    def start(self) -> None:
        """Start the process and wait until it says where it serves; what kept it from that is in the log."""
        status = self.try_start()
        assert status is None, f"the server ended with {status}: {self.log.read_text()[-2000:]}"

    def try_start(self) -> int | None:
        """Start the process; give its exit status when it ends before it serves."""
        pid, self.url = self._zygote.start(self.folder, self.full_environment(), self.log)
        if not self.url:
            return self._zygote.wait(pid)
        self._pid = pid
        return None

    def wait(self) -> int:
        """Wait for its end; give its exit status, negative for a signal."""
        pid, self._pid = self.pid, None
        return self._zygote.wait(pid)

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the process."""
        os.kill(self.pid, number)

    def _end(self, how: signal.Signals) -> int:
        self.send_signal(how)
        return self.wait()


@contextmanager
def running_zygote(preload: Path | None = None, **environment: str) -> Iterator[Zygote]:
    """Start a zygote, with a library in it and in all that it forks, if one is given."""
    given = {} if preload is None else {"LD_PRELOAD": str(preload)}
    with subprocess.Popen(
        [sys.executable, "-m", __spec__.name],
        cwd=ROOT,
        env={**os.environ, **environment, **given},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Zygote(process)


# What follows runs in the zygote.


def _serve(order: Mapping[str, Any], told: int) -> None:
    import idolchat_api  # noqa: PLC0415  only the zygote needs it
    from idolchat_core.errors import IdolchatError  # noqa: PLC0415

    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(order["start"])
    os.environ.clear()
    os.environ.update(order["environment"])
    try:
        idolchat_api.serve(on_started=lambda _, url: _tell(told, url))
    except IdolchatError as error:
        sys.exit(f"idolchat: {error}")


def _tell(told: int, url: str) -> None:
    os.write(told, url.encode())
    os.close(told)


def _start(order: Mapping[str, Any]) -> dict[str, Any] | None:
    """Fork a server; None in the server, when it has ended."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        _serve(order, writer)
        return None
    os.close(writer)
    with os.fdopen(reader) as pipe:
        return {"pid": pid, "url": pipe.read()}


def _obey() -> None:
    running: set[int] = set()
    while line := sys.stdin.readline():
        order = json.loads(line)
        if "start" in order:
            answer = _start(order)
            if answer is None:
                return
            running.add(answer["pid"])
        else:
            _, status = os.waitpid(order["wait"], 0)
            running.discard(order["wait"])
            answer = {"status": os.waitstatus_to_exitcode(status)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in running:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    for module in IMPORTED:
        import_module(module)
    for module, limit_s in WAITS_FOR_SOURCES:
        setattr(import_module(module), limit_s, 10.0)
    _obey()
