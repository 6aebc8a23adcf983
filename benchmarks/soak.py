"""Whether the server stays as it was under mixed requests, of which a quarter are bad.

    python benchmarks/soak.py [--count 100000] [--warm-up 50000] [--at-once 16] [--conversations 5000]

Starts a mock OpenRouter and a server on loopback, prints a Markdown table of the server's memory, open files and
asyncio tasks at rest, and ends them. Bad are malformed bodies, unknown ids, clients that leave in the middle,
cancelled turns, keys that are used again, broken frames, and providers that refuse, break off or send what cannot be
read. One conversation in ten has a user whose memory is asked at every turn. Messages differ in their words and in
their length.

The warm-up, which counts among the requests, fills on purpose all that is bounded: histories and events of finished
turns (4 MB each here), what is known of 4096 conversations (more are in use from the beginning, and one request in
five begins another), pages of SQLite (2 MB a connection), the memory of the embedding model (28 MB, by texts of more
than 250 tokens), the words of some 1,300 texts that memory recalls (1 MB, by first asking about users' conversations
alone). It is long because the room between what is in use, in glibc's heaps and in Python's, grows for tens of
thousands of requests; they come twice as many at once as later ones. What has no bound shows after it.

The verdict is on the samples after the warm-up, by the median of the slopes between any two of them (Theil-Sen), which
no single sample decides: anonymous memory, which pages of files that others read as well are no part of, may rise by
less than 1 % in 20,000 requests; open files and tasks by less than 10. Ends with status 1 where one rises by more,
where a request met an internal error, or where the server's log holds a traceback.
"""

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import combinations
from math import ceil
from pathlib import Path
from socket import SHUT_RDWR
from statistics import median
from typing import NamedTuple
from uuid import UUID, uuid4

import aiohttp

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.server import Server  # noqa: E402

from benchmarks.upstream import mock_openrouter  # noqa: E402

SAMPLES = 40
BAD_SHARE = 0.25
USER_SHARE, USERS = 10, 20
"""One conversation in so many is one of so many users'."""
VOCABULARY = 5_000
WORDS = (3, 10, 30, 60, 300)
"""How many words messages have; all lengths occur as often, but the longest in one message of a hundred."""
COUNT, WARM_UP = 100_000, 50_000
OF_USERS = 5_000
"""So many of the first requests are about users' conversations alone."""
SPAN = 20_000
"""Requests that a rise is told for."""
MAX_RISE_MB_SHARE, MAX_RISE_COUNT = 0.01, 10.0
METRICS_TOKEN = "a-token-of-the-soak"  # noqa: S105  of a server that lives as long as this script
GOOD_MODEL = "mock/n16-d0"
FAULTS = ("x429-r0", "x500", "x502", "x503", "xcut", "xerr", "xbad", "x401", "x402", "xctx", "xquota", "xdetail")
BUSY = re.compile(r"^idolchat_(turns_running|turns_waiting|sockets) [^0]", re.MULTILINE)
SETTINGS = {
    "IDOLCHAT_API_LOG_LEVEL": "warning",
    "IDOLCHAT_HISTORY_BYTES": str(4 * 1024 * 1024),
    "IDOLCHAT_TURN_RETENTION_BYTES": str(4 * 1024 * 1024),
    "IDOLCHAT_METRICS_TOKEN": METRICS_TOKEN,
    "IDOLCHAT_OPENROUTER_RETRIES": "0",
    "OPENROUTER_API_KEY": "sk-x",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What the server holds: anonymous memory and all of its share of memory, in MB, open files, asyncio tasks."""

    anonymous_mb: float
    pss_mb: float
    files: int
    tasks: int


class Trend(NamedTuple):
    """By how much something has risen in ``SPAN`` requests, and by how much it may have."""

    what: str
    rise: float
    limit: float

    @property
    def is_flat(self) -> bool:
        """Whether it rises by less than it may."""
        return self.rise < self.limit

    def __str__(self) -> str:
        """Describe it for people."""
        verdict = "flat" if self.is_flat else "NOT FLAT"
        return f"{self.what}: {self.rise:+.2f} in {SPAN:,} requests, where {self.limit:.2f} are too many: {verdict}"


@dataclass(slots=True)
class Soak:
    """One run against a server."""

    client: aiohttp.ClientSession
    server: Server
    conversations: list[str]
    chance: random.Random = field(default_factory=random.Random)
    statuses: Counter[int] = field(default_factory=Counter)
    turns: list[str] = field(default_factory=list)

    def body(self, model: str = GOOD_MODEL, **more: object) -> dict[str, object]:
        conversation_id = self.chance.choice(self.conversations)
        user_id = _user_of(conversation_id)
        where = {"conversation_id": conversation_id} | ({"user_id": user_id} if user_id else {})
        return {"model": model, "messages": [{"role": "user", "content": self.text()}], **where, **more}

    def text(self) -> str:
        """Make up a message."""
        count = self.chance.choice(WORDS[:-1]) if self.chance.random() < 0.99 else WORDS[-1]
        return "Sing about " + " ".join(f"moon{self.chance.randrange(VOCABULARY)}" for _ in range(count))

    async def send(self, method: str, path: str, **more: object) -> bytes:
        """Send a request and read the whole answer."""
        async with self.client.request(method, path, **more) as response:  # type: ignore[arg-type]
            self.statuses[response.status] += 1
            return await response.read()

    async def whole(self) -> None:
        answer = await self.send("POST", "/chat", json=self.body())
        found = re.search(rb'"turn_id": ?"([^"]+)"', answer)
        if found:
            self.turns = [*self.turns[-100:], found[1].decode()]

    async def streamed(self) -> None:
        await self.send("POST", "/chat/stream", json=self.body())

    async def read_conversation(self) -> None:
        await self.send("GET", f"/conversation/{self.chance.choice(self.conversations)}")

    async def listed(self) -> None:
        await self.send("GET", "/conversations?limit=20")

    async def read_turn(self) -> None:
        if self.turns:
            await self.send("GET", f"/turns/{self.chance.choice(self.turns)}")

    async def over_a_socket(self) -> None:
        async with self.client.ws_connect("/ws/chat") as socket:
            await socket.send_json({"type": "message", "message": "Hi", "model": GOOD_MODEL})
            while (await socket.receive_json())["type"] not in ("message", "error"):
                pass

    async def malformed(self) -> None:
        bodies = [b"", b"{", b"[]", b'{"messages": 5}', b'{"messages": [{"role": "ghost"}]}', b"\xff\xfe", b"[" * 5000]
        headers = {"Content-Type": "application/json"}
        await self.send("POST", "/chat", data=self.chance.choice(bodies), headers=headers)

    async def unknown(self) -> None:
        paths = [f"/conversation/{uuid4()}", f"/turns/{uuid4()}", "/conversation/nobody", "/nowhere"]
        await self.send("GET", self.chance.choice(paths))
        await self.send("POST", f"/turns/{uuid4()}/retry")

    async def leaving(self) -> None:
        """Leave while the reply is being made, whether it is to go on or not."""
        how = self.chance.choice(["cancel", "continue"])
        body = self.body("mock/n16-d5", on_disconnect=how)
        async with self.client.post("/chat/stream", json=body) as response:
            self.statuses[response.status] += 1
            await response.content.readany()

    async def cancelled(self) -> None:
        async with self.client.post("/chat/stream", json=self.body("mock/n16-d5")) as response:
            self.statuses[response.status] += 1
            found = re.search(rb'"turn_id": ?"([^"]+)"', await response.content.readany())
            if found:
                await self.send("POST", f"/turns/{found[1].decode()}/cancel")
            await response.read()

    async def told_again(self) -> None:
        """Use a key for the same request at once and again, and for another."""
        headers, body = {"Idempotency-Key": f'"{uuid4()}"'}, self.body()
        same = [self.send("POST", "/chat", json=body, headers=headers) for _ in range(2)]
        await asyncio.gather(*same)
        await self.send("POST", "/chat", json=body | {"temperature": 1.5}, headers=headers)

    async def faulty_provider(self) -> None:
        model = f"mock/n8-{self.chance.choice(FAULTS)}"
        answer = await self.send("POST", self.chance.choice(["/chat", "/chat/stream"]), json=self.body(model))
        found = re.search(rb'"turn_id": ?"([^"]+)"', answer)
        if found:
            await self.send("POST", f"/turns/{found[1].decode()}/retry")

    async def broken_frames(self) -> None:
        """Send frames that cannot be read, then go without a word."""
        async with self.client.ws_connect("/ws/chat") as socket:
            for frame in ("{", "[]", '{"type": "ghost"}', '{"type": "message"}'):
                await socket.send_str(frame)
                await socket.receive_json()
            await socket.send_json({"type": "message", "message": "Hi", "model": "mock/n16-d5"})
            socket.get_extra_info("socket").shutdown(SHUT_RDWR)

    @property
    def good(self) -> list[Callable[[], Awaitable[None]]]:
        return [self.whole, self.streamed, self.streamed, self.read_conversation, self.listed, self.read_turn,
                self.over_a_socket]  # fmt: skip

    @property
    def bad(self) -> list[Callable[[], Awaitable[None]]]:
        return [self.malformed, self.unknown, self.leaving, self.cancelled, self.told_again, self.faulty_provider,
                self.faulty_provider, self.broken_frames]  # fmt: skip

    async def run(self, count: int, *, at_once: int) -> None:
        """Do so many things, a quarter of them bad, ``at_once`` at a time."""
        todo = iter(range(count))

        async def work() -> None:
            for _ in todo:
                kinds = self.bad if self.chance.random() < BAD_SHARE else self.good
                with suppress(aiohttp.ClientConnectionError):
                    await self.chance.choice(kinds)()

        await asyncio.gather(*(work() for _ in range(at_once)))

    async def settle(self, *, timeout_s: float = 30) -> None:
        """Wait until no turn runs any more and every socket is closed."""
        async with asyncio.timeout(timeout_s):
            while BUSY.search(await self.metrics()):  # noqa: ASYNC110  another process is waited for
                await asyncio.sleep(0.05)

    async def metrics(self) -> str:
        headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        async with self.client.get("/metrics", headers=headers) as response:
            return await response.text()

    async def sample(self) -> Sample:
        """Measure the server at rest."""
        await self.settle()
        process = Path(f"/proc/{self.server.pid}")
        tasks = re.search(r"^idolchat_tasks (\S+)", await self.metrics(), re.MULTILINE)
        held = dict(re.findall(r"^(Pss|Pss_Anon):\s+(\d+)", (process / "smaps_rollup").read_text(), re.MULTILINE))
        assert tasks
        files = len(list((process / "fd").iterdir()))
        return Sample(int(held["Pss_Anon"]) / 1024, int(held["Pss"]) / 1024, files, int(float(tasks[1])))


def _user_of(conversation_id: str) -> str | None:
    number = UUID(conversation_id).int
    return None if number % USER_SHARE else str(UUID(int=number // USER_SHARE % USERS))


def _session(server: Server) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(total=60))


async def soak(
    server: Server, *, count: int, at_once: int, conversations: int, samples: int = SAMPLES, warm_up: int = 0
) -> list[Sample]:
    """Run ``count`` mixed requests, and return what the server held before and after each part of them.

    The parts that begin before ``warm_up`` requests are done have twice as many at once, the first ``OF_USERS`` of them
    in conversations of users alone. Each part has connections of its own, which are closed before the server is
    measured. Raises ``AssertionError`` for an answer that is an internal error, or a traceback in the log.
    """
    ids = [str(UUID(int=uuid4().int)) for _ in range(conversations)]
    with_user = list(filter(_user_of, ids))
    measured: list[Sample] = []
    statuses: Counter[int] = Counter()
    for part in range(samples + 1):
        async with _session(server) as client:
            begins_at = max(part - 1, 0) * count // samples
            run = Soak(client, server, with_user if begins_at < min(OF_USERS, warm_up) else ids, random.Random(part))
            together = 2 * at_once if begins_at < warm_up else at_once
            await run.run(count // samples if part else 2 * at_once, at_once=together)
            statuses += run.statuses
        async with _session(server) as client:
            measured.append(await Soak(client, server, ids).sample())
        print(_row(part * count // samples, measured[-1]), flush=True)
    log = server.log.read_text()
    assert not statuses[500], f"{statuses[500]} internal errors: {server.log}"
    assert "Traceback" not in log, log[-4000:]
    print("\nanswers by status: " + ", ".join(f"{status}: {times:,}" for status, times in sorted(statuses.items())))
    return measured


def _row(done: int, sample: Sample) -> str:
    return f"| {done:,} | {sample.anonymous_mb:.1f} | {sample.pss_mb:.1f} | {sample.files} | {sample.tasks} |"


def trends(samples: Sequence[Sample], *, every: float) -> list[Trend]:
    """Say how each figure rises over samples that were taken ``every`` so many requests."""
    memory = median(sample.anonymous_mb for sample in samples)
    return [
        Trend("memory, MB", _rise([sample.anonymous_mb for sample in samples], every), MAX_RISE_MB_SHARE * memory),
        Trend("open files", _rise([sample.files for sample in samples], every), MAX_RISE_COUNT),
        Trend("tasks", _rise([sample.tasks for sample in samples], every), MAX_RISE_COUNT),
    ]


def _rise(values: Sequence[float], every: float) -> float:
    slopes = [
        (later - earlier) / (at - before) for (before, earlier), (at, later) in combinations(enumerate(values), 2)
    ]
    return median(slopes) * SPAN / every


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--warm-up", type=int, default=WARM_UP)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--conversations", type=int, default=5_000)
    parser.add_argument("--time-limit-s", type=float, default=7200)
    asked = parser.parse_args()
    begun = time.perf_counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(mock_openrouter()) + "/api/v1"
        server = stack.enter_context(Server(folder, SETTINGS | {"OPENROUTER_BASE_URL": url}))
        print("| requests | anonymous, MB | PSS, MB | open files | tasks |\n|---:|---:|---:|---:|---:|")
        size = {"count": asked.count, "at_once": asked.at_once, "conversations": asked.conversations}
        work = soak(server, **size, warm_up=asked.warm_up)
        samples = asyncio.run(asyncio.wait_for(work, asked.time_limit_s))
    print(f"{asked.count:,} requests in {time.perf_counter() - begun:.0f} s\n")
    every = asked.count / SAMPLES
    found = trends(samples[ceil(asked.warm_up / every) :], every=every)
    print("\n".join(map(str, found)))
    sys.exit(not all(trend.is_flat for trend in found))


if __name__ == "__main__":
    main()
