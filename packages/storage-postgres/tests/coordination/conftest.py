"""Processes that serve the database of a test."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from postgres_processes import OpenProcess, Process, a_process


@pytest.fixture
async def open_process(database_url: str) -> AsyncGenerator[OpenProcess]:
    """A function that starts a further process."""
    async with AsyncExitStack() as stack:

        async def start() -> Process:
            return await stack.enter_async_context(a_process(database_url))

        yield start


@pytest.fixture
async def process(open_process: OpenProcess) -> Process:
    """A process."""
    return await open_process()
