"""What a call of a model costs the provider for OpenRouter, its HTTP client and the event loop included.

    python -m benchmarks.provider

The model server that stands in for OpenRouter runs in a process of its own; nothing is stored. Prints a Markdown
table: CPU time of this process, user's and kernel's, for a whole reply with 64 at once, and for a delta of 32 streams
whose deltas come 15 ms apart; the medians of five rounds, and the least.
"""

import asyncio
import time
from statistics import median

import uvloop

from benchmarks.upstream import mock_openrouter
from idolchat_core import CompletionRequest, LLMProvider
from idolchat_core.settings import read_settings
from idolchat_llm_openrouter import OpenRouterSettings
from idolchat_llm_openrouter.provider import open_openrouter

ROUNDS = 5
WHOLE_AT_ONCE, WHOLE_EACH = 64, 60
STREAMS, STREAMED_EACH, DELTAS = 32, 2, 64
MESSAGES = [{"role": "user", "content": "Tell me about your next concert, please! "}] * 10


async def replies(provider: LLMProvider, model: str, count: int, *, stream: bool) -> None:
    for _ in range(count):
        async for _ in provider.stream(CompletionRequest(messages=MESSAGES, model=model, stream=stream)):
            pass


async def cpu_s(provider: LLMProvider, model: str, *, at_once: int, each: int, stream: bool) -> float:
    before = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(replies(provider, model, each, stream=stream))
    return time.process_time() - before


async def measure(url: str) -> None:
    settings = read_settings(OpenRouterSettings, base_url=f"{url}/v1", api_key="sk-benchmark")
    whole, delta = [], []
    async with open_openrouter(settings) as provider:
        await replies(provider, "mock/j200-d0", 100, stream=False)
        for _ in range(ROUNDS):
            took_s = await cpu_s(provider, "mock/j200-d0", at_once=WHOLE_AT_ONCE, each=WHOLE_EACH, stream=False)
            whole.append(took_s / (WHOLE_AT_ONCE * WHOLE_EACH) * 1e6)
            model = f"mock/n{DELTAS}-d15"
            took_s = await cpu_s(provider, model, at_once=STREAMS, each=STREAMED_EACH, stream=True)
            delta.append(took_s / (STREAMS * STREAMED_EACH * DELTAS) * 1e6)
    print("| | CPU us, median | least |")
    print("|---|---:|---:|")
    print(f"| a whole reply, 64 at once | {median(whole):.0f} | {min(whole):.0f} |")
    print(f"| a delta, 32 streams | {median(delta):.1f} | {min(delta):.1f} |")


def main() -> None:
    with mock_openrouter() as url:
        uvloop.run(measure(url))


if __name__ == "__main__":
    main()
