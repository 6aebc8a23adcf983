"""After a restart a history is recognised as before: by what the storage lists, and by the index."""

from pathlib import Path
from typing import Any

import httpx
from v1_trees import conversations, said

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_api_openai import plugin
from idolchat_api_openai.matching.conversations import MAX_RECENT
from idolchat_api_openai.matching.index import ReplyIndex, index_path
from idolchat_api_openai.requests.text import normal_form
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider

REPLY = "The forest hums softly, and the lamp burns low tonight."


class Server:
    """A server that is started again on what it has stored."""

    def __init__(self, folder: Path) -> None:
        self.storage, self.provider, self.directory = InMemoryStorage(), ScriptedProvider(), InMemoryDirectory()
        self.directory.add("aoi")
        self._settings = ApiSettings(data_dir=folder, shutdown_grace_s=5, plugins=())

    async def ask(self, *histories: list[dict[str, Any]]) -> None:
        """Start, send these, and stop."""
        parts = [Parts(self.storage, self.provider, self.directory), plugin]
        async with serving(self._settings, plugins=parts) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
            for messages in histories:
                answer = await client.post("/v1/chat/completions", json={"model": "aoi", "messages": messages})
                assert answer.status_code == 200, answer.text


async def test_the_newest_conversations_are_known_at_once(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.provider.say("Yes.", REPLY)
    await server.ask(said("Hi"))
    await server.ask(said("Hi", "Yes.", "And?"))
    await server.ask(said("Hi", "Yes.", "And?", REPLY, "So?"))

    (only,) = await conversations(server.storage)
    assert len(only.messages) == 6


async def test_older_ones_are_known_by_the_index(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.provider.say(REPLY)
    await server.ask(said("Hi"))
    (first,) = await conversations(server.storage)
    await server.ask(*[said(f"Another {number}") for number in range(MAX_RECENT + 1)])
    index = ReplyIndex(index_path(tmp_path))
    texts = [normal_form("assistant", REPLY)]
    while not await index.find(first.user_id, first.character_id, texts, limit=1):
        await server.ask()  # a start tells the index of everything that it has not noted

    await server.ask(said("Hi", REPLY, "So?"))

    assert len((await server.storage.read(first.id)).messages) == 4
