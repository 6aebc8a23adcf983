"""A real server with memory over HTTP, and the conversations that are held with it."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_core import Storage
from idolchat_core.testing import InMemoryStorage, ScriptedProvider, until
from idolchat_memory import plugin

MIA, BEN = "5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e", "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55"
YUI, RIN = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn waits for what is recalled on a busy machine, too."""
    monkeypatch.setattr("idolchat_core.turns.prompting.SOURCE_TIMEOUT_S", 10.0)


class Talk:
    """A client of the server, and the provider that was asked; two users and two characters."""

    mia, ben = MIA, BEN
    yui, rin = YUI, RIN

    def __init__(self, client: httpx.AsyncClient, provider: ScriptedProvider, index_path: Path) -> None:
        self.client = client
        self.provider = provider
        self.index_path = index_path

    async def say(self, text: str, **where: Any) -> dict[str, Any]:
        """Say something, as Mia to Yui where nothing else is said; give the answer."""
        ids = {} if "conversation_id" in where else {"user_id": MIA, "character_id": YUI}
        given = {name: value for name, value in {**ids, **where}.items() if value is not None}
        reply = await self.client.post("/chat", json={"messages": [{"role": "user", "content": text}], **given})
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    async def search(self, text: str, **asked: Any) -> list[dict[str, Any]]:
        """Search, as Mia with Yui where nothing else is said, also what is far from the question."""
        body = {"text": text, "user_id": MIA, "character_id": YUI, "everything": True, **asked}
        reply = await self.client.post("/memory/search", json={k: v for k, v in body.items() if v is not None})
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["data"]
        return found

    async def indexed(self, text: str, *, count: int = 1, **asked: Any) -> list[dict[str, Any]]:
        """Search until so many messages are found, as they are indexed soon after they are stored."""
        look = partial(self.search, text, **asked)
        return await until(f"{count} messages", look, lambda found: len(found) >= count)

    async def gone(self, text: str, **asked: Any) -> None:
        """Wait until nothing is found."""
        await until("no messages", partial(self.search, text, **asked), lambda found: not found)

    async def explained(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        """Tell which parts memory gave for an answer."""
        reply = await self.client.get(f"/turns/{answer['turn_id']}/prompt")
        assert reply.status_code == 200, reply.text
        return [part for part in reply.json()["parts"] if part["source"] == "memory"]

    @property
    def prompt(self) -> Sequence[dict[str, Any]]:
        """The messages that the provider was asked with last."""
        return [dict(message) for message in self.provider.requests[-1].messages]

    @property
    def recalled(self) -> str:
        """What memory put into the last prompt."""
        return "\n".join(
            str(message["content"]) for message in self.prompt if message["role"] in ("system", "developer")
        )


type OpenTalk = Callable[..., AbstractAsyncContextManager[Talk]]


@pytest.fixture
def storage() -> Storage:
    return InMemoryStorage()


@pytest.fixture
def opening(tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> OpenTalk:
    """Opens the server, each time on the same storage and data folder; with settings of memory."""
    monkeypatch.setenv("IDOLCHAT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("IDOLCHAT_MEMORY_SEMANTIC", "off")

    @asynccontextmanager
    async def opened(replies: Sequence[str] = (), **settings: str) -> AsyncGenerator[Talk]:
        for name, value in settings.items():
            monkeypatch.setenv(f"IDOLCHAT_MEMORY_{name}".removesuffix("_ON_OFF"), value)
        provider = ScriptedProvider(*replies) if replies else ScriptedProvider()
        api = ApiSettings(data_dir=tmp_path / "data", shutdown_grace_s=5, plugins=())
        async with (
            serving(api, plugins=[Parts(storage, provider), plugin]) as url,
            httpx.AsyncClient(base_url=url, timeout=60) as client,
        ):
            yield Talk(client, provider, tmp_path / "data" / "memory" / "index.sqlite")

    return opened


@pytest.fixture
async def talk(opening: OpenTalk) -> AsyncGenerator[Talk]:
    async with opening() as talk:
        yield talk
