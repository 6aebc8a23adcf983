"""Conversations of the original service are served and continued."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.talk import say

pytestmark = pytest.mark.files("the original service left files, which `idol storage migrate` brings elsewhere")

OLD: dict[str, Any] = {
    "updated_at": "2024-05-01T10:00:05.123456",
    "messages": [
        {"role": "user", "content": "Hello!", "timestamp": "2024-05-01T10:00:00.123456"},
        {"content": "Hi there 🌸", "role": "assistant", "timestamp": "2024-05-01T10:00:05.123456", "mood": "happy"},
    ],
    "created_at": "2024-05-01T10:00:00.123456",
    "locale": {"language": "ko"},
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("place", ["", "conversations", "shard"])
async def test_an_old_file_is_served_continued_and_keeps_its_unknown_fields(
    server: Server, mock_openrouter: Mock, place: str, indent: int | None
) -> None:
    conversation_id = str(uuid4())
    folder = server.data / (f"conversations/{conversation_id[-2:]}" if place == "shard" else place)
    folder.mkdir(parents=True, exist_ok=True)
    old = {**OLD, "id": conversation_id, "user_id": str(uuid4()), "character_id": str(uuid4())}
    (folder / f"{conversation_id}.json").write_text(json.dumps(old, indent=indent))
    async with server.client() as client:
        served = (await client.get(f"/conversation/{conversation_id}")).json()
        await say("rest", server, "Remember me?", conversation_id=conversation_id)
        after = (await client.get(f"/conversation/{conversation_id}")).json()

    assert [message["content"] for message in served["messages"]] == ["Hello!", "Hi there 🌸"]
    assert served["created_at"].startswith("2024-05-01T10:00:00.123456")
    assert [m["content"] for m in mock_openrouter.bodies()[-1]["messages"]][1:] == [
        "Hello!",
        "Hi there 🌸",
        "Remember me?",
    ]
    assert [message["id"] for message in after["messages"][:2]] == [message["id"] for message in served["messages"]]
    assert (after["locale"], after["messages"][1]["mood"]) == ({"language": "ko"}, "happy")
    assert len(after["messages"]) == 4
    assert len(list(server.data.rglob(f"{conversation_id}.json"))) == 1
