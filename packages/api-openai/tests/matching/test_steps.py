"""What a request asks for where its history ends in the tree: new messages, and when they were said."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from v1_trees import said

from idolchat_core import Conversation, Message, Usage, new_id
from idolchat_core.conversations.branches import active_branch
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage

LONG_AGO = datetime(2026, 1, 5, 9, tzinfo=UTC)
TEXTS = [
    text for number in range(4) for text in (f"Question {number}", f"A reply of more than thirty letters: {number}.")
]


def made_by(place: int) -> dict[str, Any]:
    return {"model": f"test/model-{place}", "usage": Usage(input_tokens=place, output_tokens=2)}


@pytest.fixture
async def stored(storage: InMemoryStorage, directory: InMemoryDirectory) -> Conversation:
    aoi = await directory.find("aoi", None)
    assert aoi is not None
    messages = tuple(
        Message(
            id=new_id(),
            role="assistant" if place % 2 else "user",
            content=text,
            timestamp=LONG_AGO + timedelta(days=place),
            turn_id=uuid4(),
            **(made_by(place) if place % 2 else {}),
        )
        for place, text in enumerate(TEXTS)
    )
    conversation = Conversation(
        id=new_id(), created_at=LONG_AGO, updated_at=LONG_AGO, character_id=aoi.id, messages=messages
    )
    await storage.put(conversation)
    return conversation


@pytest.mark.parametrize(
    ("sent", "days"),
    [
        (["edited", *TEXTS[1:]], [1, 1, 2, 3, 4, 5, 6, 7]),
        ([*TEXTS[:3], "edited", *TEXTS[4:]], [0, 1, 2, 4, 4, 5, 6, 7]),
        ([*TEXTS[:1], "edited", *TEXTS[2:5], "edited as well", *TEXTS[6:]], [0, 2, 2, 3, 4, 6, 6, 7]),
        ([*TEXTS[:2], *TEXTS[4:]], [0, 1, 4, 5, 6, 7]),
    ],
    ids=["the first is edited", "one is edited", "two are edited", "two are left out"],
)
async def test_what_follows_an_edited_message_was_said_when_it_was(
    client: httpx.AsyncClient, storage: InMemoryStorage, stored: Conversation, sent: list[str], days: list[int]
) -> None:
    headers = {"X-Idolchat-Conversation": str(stored.id)}
    body = {"model": "aoi", "messages": said(*sent, "New")}
    assert (await client.post("/v1/chat/completions", json=body, headers=headers)).status_code == 200

    *before, new, reply = active_branch(await storage.read(stored.id))
    assert [message.content for message in (*before, new)] == [*sent, "New"]
    assert [(message.timestamp - LONG_AGO).days for message in before] == days
    assert reply.timestamp >= new.timestamp > datetime.now(UTC) - timedelta(hours=1)


async def test_what_follows_an_edited_message_tells_what_model_made_it_and_is_not_counted_twice(
    client: httpx.AsyncClient, storage: InMemoryStorage, stored: Conversation
) -> None:
    headers = {"X-Idolchat-Conversation": str(stored.id)}
    body = {"model": "aoi", "messages": said("edited", *TEXTS[1:3], "I say so.", *TEXTS[4:], "New")}
    assert (await client.post("/v1/chat/completions", json=body, headers=headers)).status_code == 200

    *before, _, _ = active_branch(await storage.read(stored.id))
    told = [(message.model, message.usage) for message in before]
    assert told == [(f"test/model-{place}" if place in (1, 5, 7) else None, None) for place in range(8)]
