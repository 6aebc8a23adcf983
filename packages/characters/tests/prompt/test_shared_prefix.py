"""A prompt begins with most of the one before, although lore comes and goes: a provider's cache is paid for by that."""

import json
import random
from collections.abc import AsyncGenerator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_characters import Character, plugin
from idolchat_characters.library import library_of
from idolchat_characters.library.access import OPERATOR
from idolchat_core import ModelInfo
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

TURNS = 500
"""Of two messages, each about as long as those of LoCoMo, 138 characters, and the names of places."""

ENTRIES = 60
WORDS = [f"{first}{second}" for first in ("ka", "mi", "ro", "su", "te") for second in ("no", "ra", "shi", "ta", "yu")]


def prose(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words))


@pytest.fixture
def rng() -> random.Random:
    return random.Random(16)


@pytest.fixture
def singer(rng: random.Random) -> Character:
    """A card of about 2,000 tokens, and 60 entries of about 90, of which a turn finds about six, 600 tokens."""
    entries: list[Any] = [
        {"id": n, "keys": [f"place{n:02}"], "content": f"Place {n}: {prose(rng, 50)}", "insertion_order": n}
        for n in range(ENTRIES)
    ]
    return Character(
        name="Mika",
        description=prose(rng, 800),
        personality=prose(rng, 200),
        mes_example="<START>\n{{user}}: Hi\n{{char}}: Hello!",
        character_book={"entries": entries},
        visibility="public",
    )


@pytest.fixture
async def client(
    tmp_path: Path, storage: InMemoryStorage, provider: ScriptedProvider
) -> AsyncGenerator[httpx.AsyncClient]:
    settings = ApiSettings(data_dir=tmp_path, shutdown_grace_s=5, plugins=(), system_prompt="Operator's words.")
    plugins = [Parts(storage, provider), plugin]
    async with serving(settings, plugins=plugins) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


def shared(prompts: list[str]) -> float:
    """Tell how much of all prompts but the first equals the beginning of the one before."""
    same = [_same(before, after) for before, after in pairwise(prompts)]
    return sum(same) / sum(map(len, prompts[1:]))


def _same(before: str, after: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))


@pytest.mark.parametrize(
    ("provider", "least"),
    [
        (ScriptedProvider(models=[ModelInfo(id="m", context_length=8_192)], default_model="m"), 0.80),
        (ScriptedProvider(models=[ModelInfo(id="m", context_length=32_768)], default_model="m"), 0.95),
    ],
    ids=["8k", "32k"],
)
async def test_500_turns_with_60_entries_share_their_beginning(
    client: httpx.AsyncClient,
    storage: InMemoryStorage,
    provider: ScriptedProvider,
    singer: Character,
    rng: random.Random,
    least: float,
) -> None:
    mika = await library_of(storage).create(singer, OPERATOR)
    begun: dict[str, Any] = {"character_id": str(mika.id)}
    for _ in range(TURNS):
        places = " ".join(f"place{rng.randrange(ENTRIES):02}" for _ in range(3))
        provider.say(f"{prose(rng, 25)} {places}")
        body = {"messages": [{"role": "user", "content": f"{prose(rng, 25)} {places}"}], **begun}
        reply = await client.post("/chat", json=body)
        assert reply.status_code == 200, reply.text
        begun = {"conversation_id": reply.json()["conversation_id"]}
    prompts = ["".join(json.dumps(dict(message)) for message in request.messages) for request in provider.requests]
    lore = [prompt.count("Place ") for prompt in prompts[1:]]

    assert sum(lore) / len(lore) > 5
    assert shared(prompts) >= least
