"""Several server processes on one listening socket, and the one that watches over them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

from idolchat_core.choice import choose_storages
from idolchat_core.errors import ConfigurationError, IdolchatError, StorageUnavailable
from idolchat_core.plugins.loader import Plugins
from idolchat_core.settings import CoreSettings

__all__ = ["Workers", "check_workers"]

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""Before a worker that has ended is started again; twice as long each time."""
SOUND_AFTER_S = 10.0
"""How long one must have run so that the next one is started soon."""
STOPPING = (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if sys.platform != "win32" else ()))

type Serve = Callable[[bool, Callable[[], None]], None]
"""Serves to the end, and calls what it is given when it is ready; true for the first process of all."""


def check_workers(settings: CoreSettings, plugins: Plugins, count: int) -> None:
    """Raise ``ConfigurationError`` where one process alone may serve the chosen storage."""
    if count == 1:
        return
    if sys.platform == "win32":
        raise ConfigurationError(f"IDOLCHAT_WORKERS asks for {count} processes, and on Windows there is one; set 1")
    storage = choose_storages(settings, plugins)[0]
    if not plugins.storages.is_shared(storage):
        raise ConfigurationError(
            f"IDOLCHAT_WORKERS asks for {count} processes, but the storage {storage!r} is served by one alone, for"
            " turns, their queues and their streams live in its memory: set IDOLCHAT_WORKERS to 1, or IDOLCHAT_STORAGE"
            " to one that several processes share, such as postgres (idolchat-storage-postgres: IDOLCHAT_POSTGRES_URL)"
        )


@dataclass(eq=False, slots=True)
class _Worker:
    number: int
    pid: int = 0
    told: int = -1
    """Where it tells what becomes of it, as JSON."""
    said: bytes = b""
    started_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    again_at: float | None = None
    has_served: bool = False


@dataclass(eq=False, slots=True)
class Workers:
    """Starts ``count`` processes that ``serve``, and one anew where one has ended, until a signal comes.

    SIGINT, SIGTERM and SIGHUP are passed on, a second one, too; then it waits for their end. Where this process is
    killed, they stop by themselves.
    """

    count: int
    serve: Serve
    _workers: dict[int, _Worker] = field(default_factory=dict)
    _is_stopping: bool = False
    _alive: tuple[int, int] = (-1, -1)
    """A pipe that ends with this process."""

    def run(self) -> None:
        """Return when all have ended.

        Raises what the first ones raise that cannot start: ``ConfigurationError``, ``StorageUnavailable``.
        """
        self._alive = os.pipe()
        with self._hearing_signals() as woken:
            for number in range(self.count):
                self._start(_Worker(number))
            while self._workers:
                self._watch(woken)

    def _start(self, worker: _Worker) -> None:
        reading, writing = os.pipe()
        worker.pid = os.fork()
        if not worker.pid:
            os.close(reading)
            os.close(self._alive[1])
            self._work(worker, writing)
        os.close(writing)
        worker.told, worker.said, worker.again_at = reading, b"", None
        worker.started_at = time.monotonic()
        self._workers[worker.pid] = worker

    def _work(self, worker: _Worker, writing: int) -> None:
        """Be a worker, and end with it."""
        status = 1
        try:
            os.setsid()  # the terminal signals the one that watches, which passes it on
            for number in STOPPING:
                signal.signal(number, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            self.serve(not worker.number and not worker.has_served, lambda: _tell(writing, serves=True))
            status = 0
        except IdolchatError as error:
            _tell(writing, error=str(error), is_configuration=isinstance(error, ConfigurationError))
        except BaseException:
            log.exception("a worker failed", extra={"worker": worker.number})
        finally:
            logging.shutdown()
            sys.stdout.flush()
            os._exit(status)

    def _watch(self, woken: socket.socket) -> None:
        """Wait until something happens, and act on it."""
        with selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            running = {worker.told: worker for worker in self._workers.values() if worker.again_at is None}
            for told in running:
                selector.register(told, selectors.EVENT_READ)
            for key, _ in selector.select(self._next_start_s()):
                if key.fileobj is woken:
                    self._hear(woken.recv(64))
                else:
                    self._listen(running[key.fd])
        for worker in list(self._workers.values()):
            if worker.again_at is not None and worker.again_at <= time.monotonic():
                del self._workers[worker.pid]
                if not self._is_stopping:
                    self._start(worker)

    def _next_start_s(self) -> float | None:
        due = [worker.again_at for worker in self._workers.values() if worker.again_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _hear(self, numbers: bytes) -> None:
        for number in numbers:
            if number not in STOPPING:
                continue
            if not self._is_stopping:
                log.info("stopping", extra={"workers": len(self._workers)})
            self._is_stopping = True
            self._pass_on()

    def _pass_on(self) -> None:
        for worker in self._workers.values():
            if worker.again_at is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGTERM)
            else:
                worker.again_at = 0.0

    def _listen(self, worker: _Worker) -> None:
        said = os.read(worker.told, 65536)
        if said:
            worker.said += said
            worker.has_served = worker.has_served or b'"serves"' in worker.said
            return
        os.close(worker.told)
        _, status = os.waitpid(worker.pid, 0)
        self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: _Worker, status: int) -> None:
        if self._is_stopping:
            del self._workers[worker.pid]
            return
        if not worker.has_served:
            del self._workers[worker.pid]
            self._give_up(worker, status)
        if time.monotonic() - worker.started_at > SOUND_AFTER_S:
            worker.pause_s = FIRST_PAUSE_S
        facts = {"worker": worker.number, "pid": worker.pid, "status": status, "again_in_s": worker.pause_s}
        log.error("a worker has ended and is started again", extra=facts)
        worker.again_at = time.monotonic() + worker.pause_s
        worker.pause_s = min(2 * worker.pause_s, LONGEST_PAUSE_S)

    def _give_up(self, worker: _Worker, status: int) -> None:
        """End the others, and raise what kept a worker from ever serving."""
        self._is_stopping = True
        self._pass_on()
        for other in self._workers.values():
            if other.again_at is None:
                os.waitpid(other.pid, 0)
        self._workers.clear()
        told = _errors_in(worker.said)
        message = str(told.get("error") or f"a worker ended with status {status} before it served; the log says why")
        raise ConfigurationError(message) if told.get("is_configuration") else StorageUnavailable(message)

    @contextlib.contextmanager
    def _hearing_signals(self) -> Generator[socket.socket]:
        reading, writing = socket.socketpair()
        for one in (reading, writing):
            one.setblocking(False)
        before = {number: signal.signal(number, lambda *_: None) for number in STOPPING}
        wakeup = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            reading.close()
            writing.close()

    def stop_when_alone(self, stop: Callable[[], None]) -> None:
        """Call ``stop`` in a worker, whose event loop runs, when the process that watches it has gone."""
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(self._alive[0])
            log.error("the process that watches over the workers has gone; this one stops")
            stop()

        loop.add_reader(self._alive[0], gone)


def _tell(writing: int, **facts: object) -> None:
    os.write(writing, json.dumps(facts).encode() + b"\n")


def _errors_in(said: bytes) -> Mapping[str, object]:
    for line in said.splitlines():
        facts: dict[str, object] = json.loads(line)
        if "error" in facts:
            return facts
    return {}
