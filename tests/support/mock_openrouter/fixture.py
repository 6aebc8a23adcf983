"""The mock as a pytest fixture; import ``mock_openrouter`` and ``mock_openrouter_process`` into a conftest."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[3]


class Mock:
    """A running mock; ``url`` has no path: add ``/api/v1``, or ``/v1`` for an OpenAI-compatible server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.base_url = f"{url}/api/v1"

    def stats(self) -> dict[str, int]:
        """Count what was seen since the test began."""
        return self._get("/_stats")  # type: ignore[no-any-return]

    def requests(self, last: int = 64) -> list[dict[str, Any]]:
        """Show the last requests, oldest first: ``method``, ``path``, ``headers`` (lower case), ``body`` as text."""
        return self._get(f"/_requests?last={last}")  # type: ignore[no-any-return]

    def bills(self) -> list[dict[str, Any]]:
        """Show what was charged for each generation of the models with the flag ``bill``."""
        return self._get("/_bills")  # type: ignore[no-any-return]

    def bodies(self, last: int = 64) -> list[dict[str, Any]]:
        """Show the bodies of the last completion requests, oldest first."""
        return [json.loads(request["body"]) for request in self.requests(last) if request["method"] == "POST"]

    def sent(self) -> list[tuple[str, Any]]:
        """Show the messages of the last completion request: role and content."""
        return [(message["role"], message["content"]) for message in self.bodies()[-1]["messages"]]

    def reset(self) -> None:
        """Drop all connections and forget what was seen."""
        self._get("/_reset")

    def release(self) -> None:
        """Release replies of models with ``h``, also those that come later."""
        self._get("/_release")

    def hold(self) -> None:
        """Hold replies of such models again."""
        self._get("/_hold")

    async def wait(self, **counts: int) -> None:
        """Wait until ``open`` replies are just so many, or another count at least so high, for a minute at most."""
        address = urlsplit(self.url)
        async with asyncio.timeout(60):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            try:
                writer.write(f"GET /_wait?{urlencode(counts)} HTTP/1.1\r\nhost: mock\r\n\r\n".encode())
                await reader.readuntil(b"\r\n\r\n")
            finally:
                writer.close()
                await writer.wait_closed()

    async def wait_for_replies(self, count: int) -> None:
        """Wait until exactly so many replies are being made."""
        await self.wait(open=count)

    def _get(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=60) as answer:  # noqa: S310  # our own server
            return json.load(answer)


@pytest.fixture(scope="session")
def mock_openrouter_process() -> Iterator[Mock]:
    """Run one mock for all tests."""
    command = [sys.executable, "-m", "tests.support.mock_openrouter", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Mock(process.stdout.readline().strip())
        finally:
            process.terminate()


@pytest.fixture
def mock_openrouter(mock_openrouter_process: Mock) -> Mock:
    """Return a mock that has seen nothing."""
    mock_openrouter_process.reset()
    return mock_openrouter_process
