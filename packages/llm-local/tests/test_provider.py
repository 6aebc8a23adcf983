"""The provider against the contract, with the real model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import psutil
import pytest

from idolchat_core import CompletionRequest
from idolchat_core.testing import ProviderConformance, asking, collect
from idolchat_llm_local import LocalProvider, LocalSettings, open_local_llm

LOOKS_EVERY_S = 0.05


class TestLocalProvider(ProviderConformance):
    echoes = False

    @pytest.fixture
    async def provider(self, settings: LocalSettings) -> AsyncIterator[LocalProvider]:
        async with open_local_llm(settings) as provider:
            await collect(provider, asking("Hi!", max_tokens=1))  # loading is work too, and would be seen as a reply's
            yield provider

    @pytest.fixture
    def short_request(self) -> CompletionRequest:
        return asking("Say hello.", max_tokens=16)

    @pytest.fixture
    def long_request(self) -> CompletionRequest:
        return asking("Write a very long story about the sea.", max_tokens=900)

    @pytest.fixture
    def silent_request(self) -> CompletionRequest:
        return asking("A word. " * 180, max_tokens=8)

    @pytest.fixture
    def wait_for_replies(self) -> Callable[[int], Awaitable[None]]:
        """Tell work from idleness by the CPU time of the model's process."""

        async def wait(count: int) -> None:
            (worker,) = psutil.Process().children()
            before, is_busy = cpu_s(worker), not count
            while is_busy != bool(count):
                await asyncio.sleep(LOOKS_EVERY_S)
                now = cpu_s(worker)
                before, is_busy = now, now > before

        return wait


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
