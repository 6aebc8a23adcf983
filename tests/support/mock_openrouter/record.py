"""What the server saw, and who waits to see it."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from tests.support.mock_openrouter.bills import Bills

KEPT_REQUESTS = 64
KEPT_BODY_BYTES = 1_000_000


@dataclass(slots=True)
class Counts:
    """``open`` replies are being made now; ``aborted`` ones lost their client; ``trapped`` followed a redirect."""

    connections: int = 0
    requests: int = 0
    streams: int = 0
    chunks: int = 0
    open: int = 0
    aborted: int = 0
    trapped: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class Record:
    """The counts and the last requests of one server."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.failures: Counter[str] = Counter()
        self._requests: deque[tuple[bytes, bytes]] = deque(maxlen=KEPT_REQUESTS)
        self.bills = Bills()
        self.is_released = False
        self.held: set[Callable[[], None]] = set()
        self._waiters: list[tuple[dict[str, int], asyncio.Future[None]]] = []

    def reset(self) -> None:
        self.counts = Counts()
        self.failures.clear()
        self.bills = Bills()
        self._requests.clear()

        self.is_released = False

    def hold(self) -> None:
        """Hold replies that come later."""
        self.is_released = False

    def release(self) -> None:
        """Release replies that are held, and those that would be."""
        self.is_released = True
        held, self.held = self.held, set()
        for go_on in held:
            go_on()

    def keep(self, head: bytes, body: bytes) -> None:
        self._requests.append((head, body[:KEPT_BODY_BYTES]))

    def stats(self) -> dict[str, int]:
        return asdict(self.counts)

    def requests(self, last: int) -> list[dict[str, Any]]:
        """Show the last requests, oldest first."""
        return [_shown(head, body) for head, body in list(self._requests)[-last:]]

    def changed(self) -> None:
        """Wake those whose wish has come true."""
        for waiter in list(self._waiters) if self._waiters else ():
            wanted, future = waiter
            if not future.done() and self._is_true(wanted):
                future.set_result(None)

    async def wait(self, wanted: dict[str, int]) -> None:
        """Wait until ``open`` is just so many, and the other counts at least so many."""
        if self._is_true(wanted):
            return
        waiter = (wanted, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await waiter[1]
        finally:
            self._waiters.remove(waiter)

    def _is_true(self, wanted: dict[str, int]) -> bool:
        counts = self.counts
        return all(
            counts.open == value if name == "open" else getattr(counts, name) >= value for name, value in wanted.items()
        )


def _shown(head: bytes, body: bytes) -> dict[str, Any]:
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return {
        "method": method,
        "path": path,
        "headers": {name.lower(): value for name, value in headers.items()},
        "body": body.decode("utf-8", "replace"),
    }
