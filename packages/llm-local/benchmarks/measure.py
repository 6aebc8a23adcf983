"""Measures the embedded model on this machine: python packages/llm-local/benchmarks/measure.py

Needs psutil. What it prints: seconds to load and to the first delta, deltas a second, the longest time for which the
event loop did not turn, seconds of CPU that the model's process uses after a reply was stopped, memory in MiB.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import psutil

from idolchat_core import CompletionRequest
from idolchat_llm_local import LocalProvider, LocalSettings, open_local_llm

TICK_S = 0.001
ROUNDS = 5


def _asking(text: str, tokens: int) -> CompletionRequest:
    options = {"max_tokens": tokens, "ignore_eos": True}
    return CompletionRequest(messages=[{"role": "user", "content": text}], options=options)


@asynccontextmanager
async def _gaps(into: dict[str, float], name: str) -> AsyncIterator[None]:
    """Record by how much the loop was late, at the most, in seconds."""

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.perf_counter()
            into[name] = max(into.get(name, 0), round(now - last - TICK_S, 4))
            last = now

    ticking = asyncio.create_task(tick())
    yield
    ticking.cancel()


async def _reply(provider: LocalProvider, text: str, tokens: int) -> tuple[float, float]:
    """Give seconds to the first delta, and deltas a second after it."""
    asked_at = time.perf_counter()
    async with aclosing(provider.stream(_asking(text, tokens))) as reply:
        times = [time.perf_counter() async for _ in reply]
    return times[0] - asked_at, (len(times) - 2) / (times[-2] - times[0])


async def _stopped(provider: LocalProvider, worker: psutil.Process) -> tuple[float, float]:
    """Stop a reply; give seconds until another one's first delta, and until there is no more work."""
    async with aclosing(provider.stream(_asking("Write a very long story.", 2000))) as reply:
        await anext(reply)
    stopped_at = time.perf_counter()
    first_s, _ = await _reply(provider, "Hi!", 3)
    used, idle_at = 0.0, time.perf_counter()
    while time.perf_counter() < idle_at + 0.3:
        await asyncio.sleep(0.01)
        if (now := sum(worker.cpu_times()[:2])) > used:
            used, idle_at = now, time.perf_counter()
    return first_s, idle_at - stopped_at


async def _measure() -> dict[str, object]:
    gaps: dict[str, float] = {}
    opened_at = time.perf_counter()
    async with open_local_llm(LocalSettings(model=None)) as provider:
        async with _gaps(gaps, "loading"):
            opened_s = time.perf_counter() - opened_at
            await provider.check()
            loaded_s = time.perf_counter() - opened_at
        (worker,) = psutil.Process().children()
        async with _gaps(gaps, "one reply"):
            alone = [await _reply(provider, f"Tell me story {number}.", 200) for number in range(ROUNDS)]
        async with _gaps(gaps, "two replies"):
            both = await asyncio.gather(*(_reply(provider, f"Tell me tale {number}.", 200) for number in range(2)))
        async with _gaps(gaps, "stopping"):
            stops = [await _stopped(provider, worker) for _ in range(ROUNDS)]
        memory_mib = worker.memory_info().rss / 2**20
        closed_at = time.perf_counter()
    return {
        "opened_s": round(opened_s, 4),
        "loaded_s": round(loaded_s, 3),
        "first_delta_s": [round(first, 3) for first, _ in alone],
        "deltas_per_s": [round(rate, 1) for _, rate in alone],
        "deltas_per_s_of_two_at_a_time": round(sum(rate for _, rate in both), 1),
        "loop_gap_s": gaps,
        "next_first_delta_after_a_stop_s": [round(first, 3) for first, _ in stops],
        "idle_after_a_stop_and_a_short_reply_s": [round(idle, 3) for _, idle in stops],
        "closed_s": round(time.perf_counter() - closed_at, 3),
        "memory_of_the_model_s_process_mib": round(memory_mib),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_measure()), indent=2) + "\n")
