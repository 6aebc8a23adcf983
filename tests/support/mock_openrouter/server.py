"""The server: an asyncio protocol, because it must cost less than what it measures."""

import asyncio
import json
import re
import ssl
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

from tests.support.mock_openrouter.answer import answer, leaking
from tests.support.mock_openrouter.behaviour import behaviour
from tests.support.mock_openrouter.faults import MESSAGES, error_reply, failure
from tests.support.mock_openrouter.models import models
from tests.support.mock_openrouter.record import Record
from tests.support.mock_openrouter.script import Script, fixed_script
from tests.support.mock_openrouter.spoil import COMMENT, Action, Send
from tests.support.mock_openrouter.wire import dumps, frame, response

MODEL = re.compile(rb'"model"\s*:\s*"([^"]*)"')
STREAM = re.compile(rb'"stream"\s*:\s*true')
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
KEY = re.compile(rb"\r\nauthorization:\s*bearer\s+([^\r]*)", re.IGNORECASE)
DEFAULT_MODEL = b"mock/n64-d0"
PAUSE_S = 0.02


class MockOpenRouter(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, record: Record, connections: "set[MockOpenRouter]") -> None:
        self.record = record
        self.connections = connections
        self.loop = asyncio.get_running_loop()
        self.buffer = bytearray()
        self.timer: asyncio.Handle | None = None
        self.task: asyncio.Task[None] | None = None
        self.script: Script | None = None
        self.sends: Sequence[Send] = ()
        self.position = self.flooded = 0
        self.busy = self.paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]  # uvloop's is no subclass
        self.connections.add(self)
        self.record.counts.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)
        self.record.held.discard(self._step)
        if self.timer:
            self.timer.cancel()
        if self.task:
            self.task.cancel()
        if self.script:
            self.record.counts.aborted += 1
            self._over(is_cancelled=True)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.script and self.timer is None:
            self.timer = self.loop.call_soon(self._step)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.busy:
            self._parse()

    def _parse(self) -> None:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.buffer[:end])
        stop = self._end_of_body(head, end + 4)
        if len(self.buffer) < stop:
            return
        body = bytes(self.buffer[end + 4 : stop])
        del self.buffer[:stop]
        if head.startswith(b"POST") and b"chat/completions" in head.partition(b"\r\n")[0]:
            self._complete(head, body)
        else:
            self.busy = True
            self.task = self.loop.create_task(self._tell(head, body))

    def _end_of_body(self, head: bytes, start: int) -> int:
        size = LENGTH.search(head)
        if size:
            return start + int(size[1])
        if b"transfer-encoding: chunked" in head.lower():
            last = self.buffer.find(b"\r\n0\r\n\r\n", start - 4)
            return last + 7 if last >= 0 else 1 << 60
        return start

    def _complete(self, head: bytes, body: bytes) -> None:
        """Begin a completion."""
        counts = self.record.counts
        counts.requests += 1
        counts.bytes_in += len(body)
        self.record.keep(head, body)
        try:
            prepared = self._prepared(head, body)
        except (LookupError, ValueError) as error:
            prepared = error_reply(422, failure(422, str(error)))
        if isinstance(prepared, bytes):
            self.transport.write(prepared)
            self.record.changed()
            return
        self.busy, self.script = True, prepared
        self.record.bills.open(prepared, body)
        counts.open += 1
        self._choose(prepared, body)
        self.record.changed()
        if prepared.about.wait_s:
            self.timer = self.loop.call_later(prepared.about.wait_s, self._step)
        else:
            self._step()

    def _prepared(self, head: bytes, body: bytes) -> Script | bytes:
        found = MODEL.search(body)
        about = behaviour((found[1] if found else DEFAULT_MODEL).decode())
        refused = self._refused(head, body)
        if refused:
            return refused
        if not about.known:
            message = f"{about.model} is not a valid model ID"
            return error_reply(400, failure(400, message, availability={"code": "model_not_found"}))
        with_usage = b" /v1/" not in head[:40] or b'"include_usage":true' in body.replace(b" ", b"")
        if about.reads_prompt:
            return answer(about, body, with_usage=with_usage or not STREAM.search(body))
        return fixed_script(about.model, with_usage=with_usage or not STREAM.search(body))

    def _refused(self, head: bytes, body: bytes) -> bytes | None:
        if b"/trap/" in head[:100]:
            self.record.counts.trapped += 1
        key = KEY.search(head)
        if key and key[1].startswith(b"sk-wrong"):
            return error_reply(401, failure(401, MESSAGES[401]))
        if key and key[1].startswith(b"sk-poor"):
            return error_reply(402, failure(402, MESSAGES[402]))
        if b"xleak" in body:
            return leaking(key[1].decode() if key else "", body)
        if b"xnostreamoptions" in body and b'"stream_options"' in body:
            return error_reply(400, failure(400, "Unknown field: stream_options"))
        return None

    def _choose(self, script: Script, body: bytes) -> None:
        about = script.about
        fails = False
        if about.fault:
            self.record.failures[about.model] += 1
            fails = self.record.failures[about.model] <= about.failures
        if STREAM.search(body):
            self.record.counts.streams += 1
            self.sends = script.bad_streamed if fails else script.streamed
        else:
            self.sends = script.bad_whole if fails else script.whole
        self.position = self.flooded = 0

    def _step(self) -> None:
        """Send the next bytes, or do what stands in their place."""
        self.timer = None
        script = self.script
        if script is None or self.paused:
            return
        if self.position == len(self.sends):
            self._over()
            self._parse()
            return
        if self._is_held(script):
            self.record.held.add(self._step)
            return
        position, send = self.position, self.sends[self.position]
        if type(send) is not bytes:
            self._act(send)  # type: ignore[arg-type]
            return
        self.position = position + 1
        self.transport.write(send)
        counts = self.record.counts
        counts.chunks += 1
        counts.bytes_out += len(send)
        if self.position == 1 or self.position == len(self.sends):
            self._step()  # the head leaves with what follows, and the end is the end
        elif script.about.delay_s and position in script.paced:
            self.timer = self.loop.call_later(script.about.delay_s, self._step)
        else:
            self.timer = self.loop.call_soon(self._step)

    def _is_held(self, script: Script) -> bool:
        after = script.about.holds_after
        return after is not None and self.position == script.paced.start + after and not self.record.is_released

    def _act(self, action: Action) -> None:
        match action:
            case Action.CUT:
                self._over()
                self.transport.close()
            case Action.RESET:
                self._over()
                self.transport.abort()
            case Action.STALL:
                assert self.script
                self.position += 1
                self.timer = self.loop.call_later(self.script.about.stall_s, self._step)
            case Action.PAUSE:
                self.position += 1
                self.timer = self.loop.call_later(PAUSE_S, self._step)
            case Action.HEARTBEAT:
                self.transport.write(frame(COMMENT))
                self.timer = self.loop.call_later(PAUSE_S, self._step)
            case Action.FLOOD:
                self._flood()

    def _flood(self) -> None:
        block = self.sends[self.position + 1]
        assert isinstance(block, bytes)
        self.transport.write(block)
        self.flooded += len(block)
        self.record.counts.bytes_out += len(block)
        assert self.script
        if self.flooded >= self.script.about.flood_bytes:
            self.position += 2
        if not self.paused:
            self.timer = self.loop.call_soon(self._step)

    def _over(self, *, is_cancelled: bool = False) -> None:
        if self.script:
            self.record.bills.close(self.script, sends=self.position, is_cancelled=is_cancelled)
        self.busy, self.script = False, None
        self.record.counts.open -= 1
        self.record.changed()

    async def _tell(self, head: bytes, body: bytes) -> None:
        """Answer whatever is no completion."""
        path = head.split(b" ", 2)[1].decode()
        self.transport.write(await self._told(path, head, body))
        self.busy = False
        self._parse()

    async def _told(self, path: str, head: bytes, body: bytes) -> bytes:
        url = urlsplit(path)
        query = dict(parse_qsl(url.query))
        match url.path:
            case "/_stats":
                return response("200 OK", dumps(self.record.stats()))
            case "/_requests":
                return response("200 OK", dumps(self.record.requests(int(query.get("last", 1)))))
            case "/_bills":
                return response("200 OK", dumps(self.record.bills.all()))
            case "/_wait":
                await self.record.wait({name: int(value) for name, value in query.items()})
                return response("200 OK", dumps(self.record.stats()))
            case "/_release" | "/_hold" | "/_reset":
                {"/_release": self.record.release, "/_hold": self.record.hold, "/_reset": self._reset}[url.path]()
                return response("200 OK", b"{}")
        self.record.keep(head, body)
        self.record.counts.requests += 1
        if url.path.endswith("/generation"):
            return self._billed(query.get("id"))
        return self._refused(head, body) or _looked_up(url.path, path, head)

    def _billed(self, generation_id: str | None) -> bytes:
        bill = self.record.bills.of(generation_id)
        if bill is None:
            return error_reply(404, failure(404, f"Generation {generation_id} not found"))
        return response("200 OK", dumps({"data": bill}))

    def _reset(self) -> None:
        for connection in self.connections - {self}:
            connection.script = None
            connection.transport.abort()
        self.record.reset()


def _looked_up(path: str, whole_path: str, head: bytes) -> bytes:
    if path.endswith("/v1/models"):
        return response("200 OK", dumps(models(whole_path)))
    if path.endswith("/key"):
        if not KEY.search(head):
            return error_reply(401, failure(401, "No auth credentials found"))
        left = 0 if b"sk-spent" in head else None
        return response("200 OK", dumps({"data": {"label": "mock", "limit": left, "limit_remaining": left}}))
    return error_reply(404, json.loads(b'{"error":{"message":"Not Found","code":404}}'))


async def start(port: int, tls: ssl.SSLContext | None = None) -> asyncio.Server:
    """Listen on loopback; port 0 takes a free one."""
    record, connections = Record(), set[MockOpenRouter]()
    return await asyncio.get_running_loop().create_server(
        lambda: MockOpenRouter(record, connections), "127.0.0.1", port, backlog=4096, ssl=tls
    )
