"""The provider that benchmarks ask: one that speaks OpenRouter's protocol, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["mock_openrouter"]

ROOT = Path(__file__).parents[1]


@contextmanager
def mock_openrouter() -> Iterator[str]:
    """Run it on a free port, and yield its address, ``http://127.0.0.1:PORT``."""
    command = [sys.executable, "-m", "tests.support.mock_openrouter", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
