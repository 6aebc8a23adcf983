"""What a whole turn costs against the length of its conversation: prompt, both appends, the first after a start.

    python benchmarks/history.py [FOLDER]

Runs the turn engine over local storage with a provider that answers at once, and prints a Markdown table: bytes
read and written by the process (``/proc/self/io``), CPU time and wall time a turn.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import UUID

from idolchat_core import CompletionRequest, Conversation, Delta, Finished, LLMProvider, Message, ModelInfo, Usage
from idolchat_core.models import new_id, utc_now
from idolchat_core.settings import CoreSettings
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest
from idolchat_storage_local import LocalSettings, open_local_storage

LENGTHS = (10, 100, 1_000, 10_000, 100_000)
TURNS = 50
TEXT = "Tell me about your next concert, please! " * 4


class Echo(LLMProvider):
    """Answers at once, and counts what it was sent."""

    prompt_messages = 0

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Finished]:
        self.prompt_messages = len(request.messages)
        yield Delta(TEXT)
        tokens = sum(len(message["content"]) for message in request.messages) // 4
        yield Finished(finish_reason="stop", usage=Usage(input_tokens=tokens, output_tokens=len(TEXT) // 4))

    async def list_models(self) -> Sequence[ModelInfo]:
        return [ModelInfo(id="echo", context_length=4096)]

    async def check(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Cost:
    """What the process has used so far."""

    read_bytes: int
    written_bytes: int
    cpu_s: float
    wall_s: float

    @classmethod
    def now(cls) -> Self:
        io = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        return cls(int(io["rchar"]), int(io["wchar"]), time.process_time(), time.perf_counter())

    def since(self, before: Self, *, turns: int) -> str:
        parts = [
            f"{(self.read_bytes - before.read_bytes) / turns:,.0f}",
            f"{(self.written_bytes - before.written_bytes) / turns:,.0f}",
            f"{(self.cpu_s - before.cpu_s) / turns * 1e3:.2f}",
            f"{(self.wall_s - before.wall_s) / turns * 1e3:.2f}",
        ]
        return " | ".join(parts)


def conversation_of(length: int) -> Conversation:
    now = utc_now()
    messages = tuple(
        Message(id=new_id(), role="assistant" if n % 2 else "user", content=TEXT, timestamp=now) for n in range(length)
    )
    return Conversation(id=new_id(), created_at=now, updated_at=now, messages=messages)


async def turn(engine: TurnEngine, conversation_id: UUID) -> None:
    request = {"messages": [{"role": "user", "content": TEXT}], "conversation_id": conversation_id, "model": "echo"}
    await (await engine.start(TurnRequest.model_validate(request))).ended()


async def measure(folder: Path, length: int) -> tuple[str, str, int]:
    settings = LocalSettings(data_dir=folder / str(length))
    conversation = conversation_of(length)
    async with open_local_storage(settings) as storage:
        await storage.put(conversation)
        warm_up = conversation_of(2)
        await storage.put(warm_up)
    async with (
        open_local_storage(settings) as storage,
        TurnEngine(storage, echo := Echo(), settings=CoreSettings()) as engine,
    ):
        await turn(engine, warm_up.id)
        begun = Cost.now()
        await turn(engine, conversation.id)
        first = Cost.now().since(begun, turns=1)
        for _ in range(TURNS):  # until prompts are full at every length
            await turn(engine, conversation.id)
        begun = Cost.now()
        for _ in range(TURNS):
            await turn(engine, conversation.id)
        return first, Cost.now().since(begun, turns=TURNS), echo.prompt_messages


async def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        costs = "read B | written B | CPU ms | wall ms"
        print(f"| messages | prompt | first turn: {costs} | later turns: {costs} |")
        print("|---:|" + "---:|" * 9)
        for length in LENGTHS:
            first, later, prompt = await measure(Path(folder), length)
            print(f"| {length:,} | {prompt} | {first} | {later} |")


if __name__ == "__main__":
    asyncio.run(main())
