"""What a mirror costs a turn: without one, with one that answers, and with one that refuses or never answers.

    python benchmarks/mirror.py [FOLDER]

Runs the turn engine over local storage with a provider that answers at once, 500 turns over 50 conversations a round,
rounds of all cases in turn. Prints a Markdown table of medians: time of a turn, CPU time of the process a turn, and
copies made.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple
from uuid import UUID

from idolchat_core import CompletionRequest, Delta, Finished, LLMProvider, ModelInfo, Storage, Usage
from idolchat_core.mirror import MirrorTuning, open_mirrored
from idolchat_core.models import new_id
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryObjects
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest
from idolchat_storage_local import LocalSettings, open_local_storage

ROUNDS = 7
TURNS = 500
CONVERSATIONS = 50
ANSWER_S = 0.02
PACE = MirrorTuning(flush_s=0.0)
TEXT = "Tell me about your next concert, please! " * 4


class Echo(LLMProvider):
    """Answers at once."""

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Finished]:
        yield Delta(TEXT)
        yield Finished(finish_reason="stop", usage=Usage(input_tokens=100, output_tokens=len(TEXT) // 4))

    async def list_models(self) -> Sequence[ModelInfo]:
        return [ModelInfo(id="echo", context_length=4096)]

    async def check(self) -> None:
        return None


class FarObjects(InMemoryObjects):
    """An object store that takes its time: a round trip, or for ever."""

    def __init__(self, answer_s: float) -> None:
        super().__init__()
        self._answer_s = answer_s

    async def get_value(self, key: str) -> bytes | None:
        await asyncio.sleep(self._answer_s)
        return await super().get_value(key)

    async def put_value(self, key: str, value: bytes) -> None:
        await asyncio.sleep(self._answer_s)
        await super().put_value(key, value)


class Round(NamedTuple):
    """What one round took."""

    p50_ms: float
    p95_ms: float
    cpu_ms: float
    copies: int


def mirror_of(case: str) -> InMemoryObjects | None:
    """Make the mirror of a case."""
    if case == "none":
        return None
    mirror = FarObjects(3600 if case == "silent" else ANSWER_S)
    mirror.is_down = case == "down"
    return mirror


async def play(case: str, folder: Path) -> Round:
    """Have a round of turns."""
    mirror = mirror_of(case)
    conversations = [new_id() for _ in range(CONVERSATIONS)]
    async with AsyncExitStack() as stack:
        settings = LocalSettings(data_dir=folder)
        storage: Storage = await stack.enter_async_context(open_local_storage(settings))
        if mirror is not None:
            factories = {"objects": lambda: nullcontext(mirror)}
            storage = await stack.enter_async_context(open_mirrored(storage, factories, tuning=PACE))
        engine = await stack.enter_async_context(TurnEngine(storage, Echo(), settings=CoreSettings(model="echo")))
        cpu_before = time.process_time()
        times = [await timed_turn(engine, conversations[number % CONVERSATIONS]) for number in range(TURNS)]
        cpu_s = time.process_time() - cpu_before
        copies = len(mirror.uploads) if mirror else 0
    p95 = quantiles(times, n=20)[-1]
    return Round(1000 * median(times), 1000 * p95, 1000 * cpu_s / TURNS, copies)


async def timed_turn(engine: TurnEngine, conversation_id: UUID) -> float:
    """Have a turn; give its time in seconds."""
    request = TurnRequest.model_validate(
        {"messages": [{"role": "user", "content": TEXT}], "conversation_id": str(conversation_id)}
    )
    began = time.perf_counter()
    await (await engine.start(request)).ended()
    return time.perf_counter() - began


async def main(folder: Path) -> None:
    up = f"answers in {1000 * ANSWER_S:.0f} ms"
    cases = {"none": "no mirror", "up": up, "down": "refuses", "silent": "never answers"}
    rounds: dict[str, list[Round]] = {case: [] for case in cases}
    for number in range(ROUNDS):
        for case in cases:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                played = await play(case, Path(place))
            if number:  # the first warms up
                rounds[case].append(played)
    print("| mirror | turn p50 ms | p95 ms | CPU ms a turn | copies of 500 turns |\n|---|---:|---:|---:|---:|")
    for case, name in cases.items():
        p50, p95, cpu, copies = (median(values) for values in zip(*rounds[case], strict=True))
        print(f"| {name} | {p50:.2f} | {p95:.2f} | {cpu:.2f} | {copies:.0f} |")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.gettempdir())))
