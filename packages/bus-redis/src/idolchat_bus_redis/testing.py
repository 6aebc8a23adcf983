"""Redis for tests and benchmarks: servers of their own in a folder, gone at the end."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from idolchat_core.testing import reserve_port

__all__ = ["RedisServer", "running_cluster", "running_redis"]

START_S = 60.0
SLOTS = 16384


class RedisServer:
    """A server without persistence on a port of loopback. ``options`` are those of its command line."""

    def __init__(self, folder: Path, *, options: Sequence[str] = ()) -> None:
        self.port, self.cluster_port = reserve_port(), reserve_port()
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The id of its process. Raises ``ProcessLookupError`` where it does not run."""
        if self._process is None:
            raise ProcessLookupError("this Redis does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it, and return when it answers. Raises ``FileNotFoundError`` where there is no Redis to start."""
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise FileNotFoundError("there is no redis-server here: install redis-server")
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--cluster-port", str(self.cluster_port), "--save", "", "--appendonly", "no", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
        _until(self._answers, what=f"redis-server on port {self.port}")

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def command(self, *words: str) -> bytes:
        """Send a command, and return what comes. Raises ``AssertionError`` with what the server refuses."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=START_S) as connection:
            connection.sendall(b"*%d\r\n" % len(words) + b"".join(_bulk(word.encode()) for word in words))
            answer = connection.recv(65536)
        if answer.startswith(b"-"):
            raise AssertionError(answer.decode())
        return answer

    def _answers(self) -> bool:
        try:
            return self.command("PING").startswith(b"+PONG")
        except (OSError, AssertionError):
            return False


@contextmanager
def running_redis(*, options: Sequence[str] = ()) -> Iterator[RedisServer]:
    """Run a server."""
    with _folder() as folder:
        server = RedisServer(folder, options=options)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def running_cluster(nodes: int = 3) -> Iterator[list[RedisServer]]:
    """Run a cluster of primaries, each with its share of the slots."""
    with ExitStack() as stack:
        options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]
        servers = [stack.enter_context(running_redis(options=options)) for _ in range(nodes)]
        for number, server in enumerate(servers):
            first, last = number * SLOTS // nodes, (number + 1) * SLOTS // nodes - 1
            server.command("CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
            server.command("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for server in servers[1:]:
            servers[0].command("CLUSTER", "MEET", "127.0.0.1", str(server.port), str(server.cluster_port))
        for server in servers:
            _until(partial(_sees_all, server, nodes), what="the cluster")
        yield servers


def _sees_all(server: RedisServer, nodes: int) -> bool:
    about = server.command("CLUSTER", "INFO")
    return b"cluster_state:ok" in about and b"cluster_known_nodes:%d\r" % nodes in about


def _until(is_so: Callable[[], bool], *, what: str) -> None:
    ends_at = time.monotonic() + START_S
    while not is_so():
        if time.monotonic() > ends_at:
            raise TimeoutError(f"{what} does not answer within {START_S:g} seconds")
        time.sleep(0.02)


def _bulk(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="idolchat-redis-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
