"""What real front ends sent, sent again: the trees that come of it are those that their users saw."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from v1_trees import active, conversations, paths

from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider

RECORDINGS = Path(__file__).parent / "recordings"
GREETING = "*She looks up and smiles.* Welcome back, traveller."
ASKED = "Hello, I am Ren. Where am I?"


def read(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    mark = ""
    for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines():
        entry = json.loads(line)
        mark = entry.get("mark", mark)
        if entry.get("body"):
            yield mark, entry


def reply(number: int) -> str:
    return f"Reply number {number}: the forest hums softly as she smiles."


@pytest.fixture
def directory() -> InMemoryDirectory:
    directory = InMemoryDirectory()
    directory.add("seraphina", GREETING)
    return directory


async def replay(
    client: httpx.AsyncClient,
    provider: ScriptedProvider,
    name: str,
    *,
    start: int = 1,
    headers: dict[str, str] | None = None,
    without: tuple[str, ...] = (),
) -> int:
    number = start
    for _, entry in read(name):
        provider.say(reply(number))
        number += 1
        sent = {k: v.strip() for k, v in entry["headers"].items() if not k.lower().startswith(without or ("none",))}
        answer = await client.post("/v1/chat/completions", json=entry["body"], headers={**sent, **(headers or {})})
        assert answer.status_code == 200, answer.text
        assert reply(number - 1).split()[-1] in answer.text
    return number


async def test_sillytavern_without_headers(
    client: httpx.AsyncClient, provider: ScriptedProvider, storage: InMemoryStorage
) -> None:
    await replay(client, provider, "sillytavern")

    first, haiku, second = await conversations(storage)
    glued = reply(4) + reply(5)
    assert set(paths(first)) == {
        (GREETING, ASKED, reply(1), "Do you know the Shadowfangs of Eldoria?", reply(2)),
        (GREETING, ASKED, reply(1), "Do you know the Shadowfangs of Eldoria?", reply(3)),
        (GREETING, ASKED, reply(1), "Do you know the Shadowfangs of Eldoria?", reply(4)),
        (
            *(GREETING, ASKED, reply(1), "Do you know the Shadowfangs of Eldoria?", glued),
            *("My sister is called Yuki.", reply(6)),
        ),
        (
            *(GREETING, "Hello, I am Ren the smith. Where am I?", reply(1), "Do you know the Shadowfangs of Eldoria?"),
            *(f"{reply(4)} {reply(5)}", "My sister is called Yuki.", reply(6)),
            *("And what do I do for a living?", reply(10)),
        ),
        (
            *(GREETING, "Hello, I am Ren the smith. Where am I?", reply(1), "Do you know the Shadowfangs of Eldoria?"),
            *(f"{reply(4)} {reply(5)}", "My sister is called Yuki.", reply(6)),
            *("Tell me about the glade.", reply(11)),
        ),
    }
    assert set(paths(haiku)) == {("Write a haiku.", reply(9))}
    changed = (GREETING, "Hello again.", reply(12) + reply(13), "How are you?", reply(14), "I changed my name.")
    assert set(paths(second)) == {
        (GREETING, "Hello again.", reply(12)),
        (*changed, reply(15)),
        (*changed, reply(15) + reply(16)),
    }


async def test_open_webui(client: httpx.AsyncClient, provider: ScriptedProvider, storage: InMemoryStorage) -> None:
    await replay(client, provider, "openwebui", start=41)

    (only,) = await conversations(storage)
    turns = [entry for _, entry in read("openwebui") if not entry["headers"]["X-Idolchat-Task"]]
    assert len(turns) == 3
    shown = (ASKED, reply(42), "Do you know the Shadowfangs?")
    assert set(paths(only)) == {(*shown, reply(45)), (*shown, reply(45) + reply(47))}
    assert active(only) == (*shown, reply(45) + reply(47))


async def test_open_webui_without_headers_stores_the_same(
    client: httpx.AsyncClient, provider: ScriptedProvider, storage: InMemoryStorage
) -> None:
    await replay(client, provider, "openwebui", start=41, without=("x-",))

    (only,) = await conversations(storage)
    assert len(paths(only)) == 2
