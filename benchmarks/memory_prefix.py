"""How much of each prompt equals the beginning of the one before, with memory on: 500 turns in one long conversation.

    python benchmarks/memory_prefix.py --data FILE [--window 8192] [--turns 500] [--off]

FILE is in the format of LoCoMo (see memory_recall.py). What its speakers said first is imported as older conversations
of a user with a character; what they said then is the conversation that is measured: the user's words are sent, turn
by turn, to a server over HTTP, and the provider answers with the other's. The share is that of ``GET
/turns/{id}/prompt``; the mean leaves out the first turn.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import httpx

from benchmarks.memory_recall import load
from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_core import Conversation, MemoryMessage, Message, ModelInfo, new_id
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns import prompting
from idolchat_memory import plugin

USER, CHARACTER = UUID(int=1), UUID(int=2)
SYSTEM = "You are a companion who remembers. " * 171
"""2,000 tokens, as a character's card and instructions take."""


def pairs(messages: Sequence[MemoryMessage]) -> Iterator[tuple[str, str]]:
    """Give what the user says and what is answered, as far as they take turns."""
    for one, other in pairwise(messages):
        if (one.role, other.role) == ("user", "assistant"):
            yield one.text, other.text


def old_conversation(messages: Sequence[MemoryMessage]) -> Conversation:
    """Make a conversation of the past."""
    said = [
        Message(id=new_id(), role=one.role, content=one.text, timestamp=one.said_at + timedelta(seconds=position))
        for position, one in enumerate(messages)
    ]
    ids = {"id": new_id(), "user_id": USER, "character_id": CHARACTER}
    times = {"created_at": said[0].timestamp, "updated_at": said[-1].timestamp}
    return Conversation.model_validate({**ids, **times, "messages": said})


async def measure(folder: Path, data: Path, *, window: int, turns: int) -> dict[str, float]:
    """Hold the conversation, and give the mean share, and how much was recalled."""
    storage, talks = InMemoryStorage(), list(load(data))
    everything = [message for talk in talks for message in talk.messages]
    rounds = list(pairs(everything))[:turns]
    await storage.create(old_conversation(everything))
    model = ModelInfo(id="scripted/model", context_length=window)
    provider = ScriptedProvider(*(reply for _, reply in rounds), models=(model,))
    shares, recalled, tokens = [], [], []
    settings = ApiSettings(data_dir=folder, shutdown_grace_s=5, plugins=())
    async with (
        serving(settings, plugins=[Parts(storage, provider), plugin]) as url,
        httpx.AsyncClient(base_url=url, timeout=60) as client,
    ):
        await asyncio.sleep(3)  # what was said before is indexed
        where: dict[str, str] = {"user_id": str(USER), "character_id": str(CHARACTER)}
        for text, _ in rounds:
            messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
            answer = (await client.post("/chat", json={"messages": messages, **where})).json()
            where = {"conversation_id": answer["conversation_id"]}
            told = (await client.get(f"/turns/{answer['turn_id']}/prompt")).json()
            parts = [part for part in told["parts"] if part["source"] == "memory" and part["included"]]
            recalled.append(sum(len(part["why"]["messages"]) for part in parts))
            tokens.append(sum(part["tokens"] for part in parts))
            if told.get("shared_tokens") is not None:
                shares.append(told["shared_tokens"] / told["tokens"])
    return {
        "turns": len(rounds),
        "shared": round(100 * statistics.mean(shares), 1),
        "recalled messages a turn": round(statistics.mean(recalled), 1),
        "recalled tokens a turn": round(statistics.mean(tokens)),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--window", type=int, default=8192, help="tokens that the model reads")
    parser.add_argument("--turns", type=int, default=500)
    parser.add_argument("--off", action="store_true", help="without memory, to compare")
    asked = parser.parse_args()
    prompting.SOURCE_TIMEOUT_S = 10.0  # what is measured is no time, and a busy machine is to change nothing
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"IDOLCHAT_DATA_DIR": folder, "IDOLCHAT_MEMORY_SEMANTIC": "off"}
        if asked.off:
            os.environ["IDOLCHAT_MEMORY"] = "off"
        print(asyncio.run(measure(Path(folder), asked.data, window=asked.window, turns=asked.turns)))


if __name__ == "__main__":
    main()
