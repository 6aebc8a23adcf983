"""A stream ends with the token that opened it, and goes on with another."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx

from idolchat_api.auth.api_key import KeyRing
from idolchat_api.testing import NewKey
from idolchat_core.models import utc_now
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

BODY = {"messages": [{"role": "user", "content": "Hi"}]}


def chunks_of(stream: str) -> list[dict[str, Any]]:
    """Read what was streamed, which ends as every stream does."""
    *data, done = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    assert done == "[DONE]"
    return [json.loads(line) for line in data]


def text_of(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])


async def test_a_stream_ends_with_its_token_and_the_turn_goes_on(
    client: httpx.AsyncClient, new_key: NewKey, provider: ScriptedProvider
) -> None:
    user, go_on = uuid4(), asyncio.Event()
    provider.say(["one ", go_on, "two"])
    short = await new_key(user_id=user, expires_at=utc_now() + timedelta(seconds=3))
    stream = (await client.post("/chat/stream", json=BODY, headers=short)).text
    first = chunks_of(stream)
    last_id = [line for line in stream.splitlines() if line.startswith("id: ")][-1].removeprefix("id: ")
    go_on.set()
    rest = await client.get(
        f"/turns/{first[0]['turn_id']}/stream", headers={**await new_key(user_id=user), "Last-Event-ID": last_id}
    )

    end = first[-1]
    assert (end["error"]["code"], end["state"], end["choices"]) == ("token_expired", "running", [])
    assert end["turn_id"] == first[0]["turn_id"] in end["error"]["message"]
    assert text_of(first) + text_of(chunks_of(rest.text)) == "one two"


async def test_a_stream_ends_when_its_key_is_revoked(
    client: httpx.AsyncClient, new_key: NewKey, storage: InMemoryStorage, provider: ScriptedProvider
) -> None:
    over = asyncio.Event()
    provider.say(["one ", over])
    header, stream = await new_key(), ""
    kept = await KeyRing(storage).find(header["Authorization"].split("_")[1])
    assert kept is not None
    async with asyncio.timeout(60), client.stream("POST", "/chat/stream", json=BODY, headers=header) as reply:
        async for piece in reply.aiter_text():
            stream += piece
            await KeyRing(storage).revoke(kept, utc_now())
    over.set()

    assert chunks_of(stream)[-1]["error"]["code"] == "unauthenticated"
