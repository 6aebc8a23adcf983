"""The way between a browser and a server: connections that are passed on, and cut where a test says."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

__all__ = ["Cable"]

PATIENCE_S = 60
_STREAMS = (b"/chat/stream", b"/stream", b"/regenerate", b"/continue")


class Cable:
    """Passes connections on to a server, from an address of its own; it takes ``prefix`` off the paths of requests."""

    def __init__(self, url: str, *, prefix: str = "") -> None:
        self._prefix = prefix.encode()
        self._to = (urlsplit(url).hostname or "", urlsplit(url).port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._cut_after_bytes: int | None = None
        self._refuses = 0
        self._is_out = False
        self.cuts = 0
        self._was_cut = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self._cut()

    def cut_once_after(self, size_bytes: int, *, refuses: int = 1) -> None:
        """Cut every connection when so many bytes of a stream have passed, and refuse the next few."""
        self._cut_after_bytes, self._refuses = size_bytes, refuses

    def wait_for_cut(self) -> bool:
        """Wait until the connections are cut; False where that does not happen."""
        return self._was_cut.wait(PATIENCE_S)

    def pull_out(self) -> None:
        """Cut every connection and take none until ``plug_in``."""
        with self._lock:
            self._is_out = True
            self._cut()

    def plug_in(self) -> None:
        """Pass connections on again."""
        self._is_out = False

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            with self._lock:  # none slips in while all are cut
                self._take(near)

    def _take(self, near: socket.socket) -> None:
        if self._is_out or (self.cuts and self._refuses > 0):
            self._refuses -= not self._is_out
            near.close()
            return
        far = socket.create_connection(self._to)
        self._open |= {near, far}
        asked: list[bytes] = []
        threading.Thread(target=self._pass_on, args=(near, far, asked), daemon=True).start()
        threading.Thread(target=self._pass_back, args=(far, near, asked), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket, asked: list[bytes]) -> None:
        with suppress(OSError):
            while part := near.recv(65536):
                asked.append(part)
                far.sendall(part.replace(b" " + self._prefix + b"/", b" /", 1) if self._prefix else part)
        self._close(near, far)

    def _pass_back(self, far: socket.socket, near: socket.socket, asked: list[bytes]) -> None:
        passed = 0
        with suppress(OSError):
            while part := far.recv(65536):
                limit = self._cut_after_bytes
                if limit is not None and any(path in b"".join(asked[-2:]) for path in _STREAMS):
                    rest = limit - passed
                    if len(part) >= rest:
                        near.sendall(part[:rest])
                        self._cut_for_good()
                        return
                    passed += len(part)
                near.sendall(part)
        self._close(near, far)

    def _cut_for_good(self) -> None:
        with self._lock:
            self._cut_after_bytes, self.cuts = None, self.cuts + 1
            self._cut()
        self._was_cut.set()

    def _cut(self) -> None:
        self._close(*list(self._open))

    def _close(self, *sockets: socket.socket) -> None:
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
            self._open.discard(one)
