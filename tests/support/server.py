"""A real server process on loopback, its data in a folder that outlives it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from idolchat_core import ConversationNotFound
from tests.support.storages import STORAGE_OF_TESTS

START_S = 60.0


class Server:
    """``idol serve`` as a child process; ``start`` it again on the same folder as often as needed."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        command: Sequence[str] = (sys.executable, "-m", "idolchat_cli", "serve"),
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.environment = dict(environment)
        self.url = ""
        self._command = command
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        """The running process."""
        assert self._process is not None, "the server is not running"
        return self._process

    @property
    def pid(self) -> int:
        """The running process's id."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def ws_url(self) -> str:
        """The address of the WebSocket."""
        return self.url.replace("http", "ws", 1) + "/ws/chat"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()

    def full_environment(self) -> dict[str, str]:
        """Return all that the process finds in its environment."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**inherited, "IDOLCHAT_PORT": "0", **self.places, **self.environment}

    @property
    def places(self) -> dict[str, str]:
        """What a command finds in its environment that works on what the server stores."""
        return {"IDOLCHAT_DATA_DIR": str(self.data), **STORAGE_OF_TESTS.variables(self.data)}

    def start(self) -> None:
        """Start the process and wait until it says where it serves."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=self.full_environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout
        said = []
        for line in self._process.stdout:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.url = found[0]
                return
        raise AssertionError(f"the server did not start: {''.join(said)}{self.log.read_text()}")

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to stop; give its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self.process, None
        process.send_signal(how)
        with process:
            return process.wait(timeout=START_S)

    def restart(self) -> None:
        """Stop it and start it on the same data."""
        self.stop()
        self.start()

    def client(self) -> httpx.AsyncClient:
        """Return a client of its HTTP API."""
        return httpx.AsyncClient(base_url=self.url, timeout=60)

    def stored(self, conversation_id: str) -> bytes:
        """Read a conversation as it is stored, whether the server runs or not."""
        stored = STORAGE_OF_TESTS.document(self.data, conversation_id)
        return self.document(conversation_id).read_bytes() if stored is None else stored

    def messages(self, conversation_id: str) -> list[dict[str, Any]]:
        """Read the messages of a conversation as they are stored; see ``stored``."""
        messages: list[dict[str, Any]] = json.loads(self.stored(conversation_id))["messages"]
        return messages

    def stores(self, conversation_id: str) -> bool:
        """Whether a conversation is stored, whether the server runs or not."""
        if STORAGE_OF_TESTS.name == "local":
            return any(self.data.rglob(f"{conversation_id}.json"))
        try:
            return STORAGE_OF_TESTS.document(self.data, conversation_id) is not None
        except ConversationNotFound:
            return False

    def log_lines(self, namespace: str) -> list[bytes]:
        """Read the lines of all logs of a namespace, the oldest log first."""
        lines = STORAGE_OF_TESTS.log_lines(self.data, namespace)
        if lines is None:
            logs = sorted((self.data / "logs" / namespace).iterdir())
            lines = [line for log in logs for line in log.read_bytes().splitlines()]
        return [line for line in lines if line]

    def document(self, conversation_id: str) -> Path:
        """Find a conversation's file."""
        return next((self.data / "conversations").rglob(f"{conversation_id}.json"))
