"""A worker process, seen from here: started, asked, and ended."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, cast

from idolchat_core import ProviderUnavailable, ReplyCut
from idolchat_llm_local import worker
from idolchat_llm_local.worker import WorkerConfig

__all__ = ["LoadFailed", "ModelFacts", "WorkerProcess"]

logger = logging.getLogger(__name__)

LONGEST_LINE_BYTES = 1 << 20
"""A line is a chunk of a reply, which holds a token, or the few of a tool call's end."""

HINTS = {
    signal.SIGILL: "; this build of xllamacpp wants a newer CPU (AVX2)",
    signal.SIGKILL: "; if that was for want of memory, take a smaller model or IDOLCHAT_LOCAL_CONTEXT_LENGTH",
}


class LoadFailed(Exception):
    """llama.cpp refuses the model; the text is its reason."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model once it is loaded; ``context_length`` in tokens."""

    context_length: int
    knows_tools: bool


class WorkerProcess:
    """A process with a model loaded; ``WorkerProcess.start`` makes one, ``close`` ends it.

    llama.cpp runs apart from this process because xllamacpp holds the GIL for as long as it loads, because a
    damaged model or a failed assertion ends the process that it happens in, and because it can then be left
    amid its work at any time.
    """

    def __init__(self, process: asyncio.subprocess.Process, facts: ModelFacts) -> None:
        self.facts = facts
        self._process = process
        self._requests = cast(asyncio.StreamWriter, process.stdin)  # typed as if it might not be a pipe
        self._is_closed = False
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Queue[bytes | None]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, config: WorkerConfig) -> Self:
        """Start a process and wait until its model is loaded. Raises ``LoadFailed``, ``ProviderUnavailable``."""
        started_at = time.monotonic()
        try:
            process, facts = await _loaded(config)
        except OSError as error:
            raise ProviderUnavailable(f"the local model's process cannot be started: {error}") from error
        load_s = round(time.monotonic() - started_at, 3)
        logger.info("local model loaded", extra={"model": config["path"], "load_s": load_s, "pid": process.pid})
        return cls(process, facts)

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return not self._reading.done()

    async def complete(self, body: bytes) -> AsyncGenerator[dict[str, Any]]:
        """Yield the chunks of a reply; closing stops the work. Raises ``ReplyCut`` when the process dies.

        ``body`` is one line of JSON, an OpenAI chat completions request with ``stream``; a chunk may hold
        ``error`` instead.
        """
        if not self.is_alive:
            raise self._cut()
        number = next(self._numbers)
        chunks = self._replies[number] = asyncio.Queue()
        self._send(number, body)
        try:
            while chunk := await chunks.get():
                yield json.loads(chunk)
        finally:
            del self._replies[number]
            self._send(number)
        if chunk is None:
            raise self._cut()

    async def close(self) -> None:
        """End the process, whatever it does."""
        self._is_closed = True
        _kill(self._process)
        await self._reading

    def _send(self, number: int, payload: bytes = b"") -> None:
        if self.is_alive:
            self._requests.write(b"%d %b\n" % (number, payload))

    def _cut(self) -> ReplyCut:
        if self._is_closed:
            return ReplyCut("the local model was closed")
        return ReplyCut(f"the local model's process {_ending(self._process)}")

    async def _read(self) -> None:
        while line := await _output(self._process).readline():
            number, _, chunk = line.rstrip(b"\n").partition(b" ")
            if reply := self._replies.get(int(number)):
                reply.put_nowait(chunk)
        await self._process.communicate()
        for reply in self._replies.values():
            reply.put_nowait(None)


async def _loaded(config: WorkerConfig) -> tuple[asyncio.subprocess.Process, ModelFacts]:
    # Only we can enter the folder in which the library opens its socket, before that is closed.
    with TemporaryDirectory(prefix="idolchat-") as folder:
        process = await _run(config, folder)
        try:
            return process, await _facts(process)
        except BaseException:
            _kill(process)
            await process.communicate()
            raise


async def _run(config: WorkerConfig, folder: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # modules come from where they are installed, not from this package's folder
        str(Path(worker.__file__)),
        json.dumps(config),
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LONGEST_LINE_BYTES,
        start_new_session=True,  # a Ctrl-C in the terminal is for us to handle
    )


async def _facts(process: asyncio.subprocess.Process) -> ModelFacts:
    line = await _output(process).readline()
    if not line:
        await process.wait()
        raise ProviderUnavailable(f"the local model's process {_ending(process)} while loading")
    told = json.loads(line.partition(b" ")[2])
    if "error" in told:
        raise LoadFailed(told["error"])
    return ModelFacts(**told)


def _output(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    return cast(asyncio.StreamReader, process.stdout)


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()


def _ending(process: asyncio.subprocess.Process) -> str:
    code = process.returncode or 0
    if code >= 0:
        return f"ended with status {code}"
    name = signal.Signals(-code)
    return f"was ended by {name.name}{HINTS.get(name, '')}"
