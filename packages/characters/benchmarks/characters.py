"""What characters cost: lists of 10,000, and turns: python packages/characters/benchmarks/characters.py

What it prints: milliseconds, and those of CPU, to find all characters after a start and to list twenty of them; the CPU
of a turn without a character, with a card, and with a card and a book of 60 entries, each as a share of the first.
Turns are taken in turn, in the process of the server, on the storage of files, and answered by a model of one word;
what is written after them counts, too.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

from idolchat_characters import Character, plugin
from idolchat_characters.library import CharacterLibrary, Viewer, library_of
from idolchat_characters.library.access import OPERATOR
from idolchat_characters.library.new_characters import Belongings, new_record
from idolchat_characters.settings import CharactersSettings
from idolchat_core import CompletionRequest, CoreSettings, LLMProvider, Registry, Storage, hookimpl
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.service import Service, open_service
from idolchat_core.testing import ScriptedProvider
from idolchat_core.testing.scripted import Step
from idolchat_core.turns.request import NewMessage, TurnRequest
from idolchat_storage_local import open_local_storage
from idolchat_storage_local.settings import LocalSettings

CHARACTERS = 10_000
ROUNDS, TURNS = 12, 60
WRITTEN_S = 1.1
"""After so long nothing of a round is left to be written."""
CARD = Character(
    name="Mika",
    description="{{char}} sings for {{user}}. " * 80,
    personality="cheerful, curious, honest",
    scenario="Backstage, before the show.",
    mes_example="<START>\n{{user}}: Hi\n{{char}}: Hello!\n<START>\n{{user}}: Sing!\n{{char}}: La!",
    post_history_instructions="Stay {{char}}.",
    visibility="public",
)
BOOK = {"entries": [{"id": n, "keys": [f"place{n}", f"town{n}"], "content": f"Place {n}."} for n in range(60)]}


class Parts:
    """The storage of files and a model that says one word."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @hookimpl
    def idolchat_register_storages(self, registry: Registry[Storage]) -> None:
        """Register ``local``."""
        registry.add("local", lambda: _as_it_is(self._storage))

    @hookimpl
    def idolchat_register_llm_providers(self, registry: Registry[LLMProvider]) -> None:
        """Register ``local``."""
        registry.add("local", lambda: _as_it_is(Word()))


class Word(ScriptedProvider):
    """Says ``Yes.``."""

    def _next_reply(self, request: CompletionRequest) -> Iterator[Step]:
        self.requests.clear()
        return iter(("Yes.",))


@asynccontextmanager
async def _as_it_is[T](part: T) -> AsyncGenerator[T]:
    yield part


async def lists(storage: Storage) -> None:
    """Fill a storage with characters, and time its lists."""
    for number in range(CHARACTERS):
        tags = (f"tag{number % 100}", "idol")
        record = new_record(CARD.model_copy(update={"name": f"Mika {number}", "tags": tags}), Belongings())
        await storage.put_record("characters", str(record.id), record.model_dump_json().encode(), durable=False)
    library, viewer = CharacterLibrary(storage, CharactersSettings()), Viewer(user_id=uuid4())
    cases: dict[str, Callable[[], Awaitable[object]]] = {
        "all found after a start": library.load,
        "the newest 20": lambda: library.list(viewer),
        "the oldest 20": lambda: library.list(viewer, before=UUID(int=record.id.int >> 64 << 64)),
        "20 of a tag": lambda: library.list(viewer, tag="tag7"),
        "none with these words": lambda: library.list(viewer, text="nobody here"),
    }
    for name, case in cases.items():
        started_at, cpu_at = time.perf_counter(), time.process_time()
        await case()
        took_ms, cpu_ms = (time.perf_counter() - started_at) * 1000, (time.process_time() - cpu_at) * 1000
        sys.stdout.write(f"{CHARACTERS:,} characters, {name}: {took_ms:.1f} ms, {cpu_ms:.1f} of CPU\n")


async def turns(storage: Storage) -> None:
    """Time turns of three kinds, round by round, so that what else the machine does weighs on all of them."""
    library = library_of(storage)
    card = await library.create(CARD, OPERATOR)
    booked = await library.create(CARD.model_copy(update={"character_book": BOOK, "slug": None}), OPERATOR)
    kinds = {"no character": None, "a card": card.id, "a card and 60 entries": booked.id}
    plugins = load_plugins(Parts(storage), plugin, installed=False)
    seen: dict[str, list[float]] = {kind: [] for kind in kinds}
    async with open_service(CoreSettings(plugins=(), system_prompt="Be kind."), plugins, recovers=True) as service:
        for _ in range(ROUNDS):
            for kind, character_id in kinds.items():
                seen[kind].append(await _cpu_of_turns(service, character_id))
    for kind, cpu_us in seen.items():
        more = statistics.median([one / least for one, least in zip(cpu_us, seen["no character"], strict=True)]) - 1
        sys.stdout.write(f"a turn with {kind}: {statistics.median(cpu_us):.0f} us of CPU, {more:+.1%}\n")


async def _cpu_of_turns(service: Service, character_id: UUID | None) -> float:
    """Hold a conversation, and return the CPU of each of its turns, in microseconds."""
    conversation_id = uuid4()
    started = 0.0
    for number in range(TURNS + 5):
        if number == 5:  # the first ones read and compile
            await asyncio.sleep(WRITTEN_S)
            started = time.process_time()
        message = NewMessage(role="user", content=f"Is it far to place{number}?")
        request = TurnRequest(messages=(message,), conversation_id=conversation_id, character_id=character_id)
        turn = await service.turns.start(request, idempotency_key=None)
        await turn.ended()
    await asyncio.sleep(WRITTEN_S)
    return (time.process_time() - started) / TURNS * 1e6


async def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_local_storage(LocalSettings(data_dir=Path(folder) / "lists")) as storage:
            await lists(storage)
        async with open_local_storage(LocalSettings(data_dir=Path(folder) / "turns")) as storage:
            await turns(storage)


if __name__ == "__main__":
    asyncio.run(main())
