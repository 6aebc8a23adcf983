"""``/v1`` through any server: a history that is sent again is recognised wherever it was begun."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from idolchat_storage_postgres.testing import PostgresServer
from tests.support.cluster import PLUGINS, Cluster, running_cluster
from tests.support.mock_openrouter.fixture import Mock
from tests.support.stream import streamed
from tests.support.zygote import Zygote

PATH = "/v1/chat/completions"
MANY = 12
"""More conversations than the newest that are looked at one by one."""


@pytest.fixture
def cluster(
    request: pytest.FixtureRequest, tmp_path: Path, forking: Zygote, postgres: PostgresServer, mock_openrouter: Mock
) -> Iterator[Cluster]:
    """Run two servers with ``/v1``, and the model that a test asks for."""
    environment: dict[str, Any] = {
        "OPENROUTER_BASE_URL": mock_openrouter.base_url,
        "IDOLCHAT_PLUGINS": f"{PLUGINS},api-openai,characters",
        "IDOLCHAT_MODEL": getattr(request, "param", "mock/echo"),
    }
    with running_cluster(tmp_path, forking, postgres, count=2, **environment) as cluster:
        yield cluster


def asked(*said: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(said)]
    return {"model": "lumi", "messages": messages, **more}


async def send(client: httpx.AsyncClient, *said: str, **headers: str) -> tuple[str, str]:
    """Give the conversation and the reply."""
    answer = await client.post(PATH, json=asked(*said), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-idolchat-conversation"], answer.json()["choices"][0]["message"]["content"]


async def stored(client: httpx.AsyncClient) -> list[list[str]]:
    """Give what was said in each conversation, the newest first."""
    listed = (await client.get("/conversations", params={"limit": 100})).json()["data"]
    found = [(await client.get(f"/conversation/{one['id']}")).json()["messages"] for one in listed]
    return [[message["content"] for message in messages] for messages in found]


async def test_a_history_is_recognised_at_once_by_whichever_server_gets_it_next(cluster: Cluster) -> None:
    one, second = (cluster.client(server) for server in cluster.servers)
    histories: list[list[str]] = []
    conversations = set()
    async with one, second:
        for turn in range(9):
            if turn % 3 == 0:
                histories.append([])
            said = histories[-1]
            said.append(f"What do you remember of the day with the number {turn}, and of its evening?")
            conversation, reply = await send((one, second)[turn % 2], *said)
            said.append(reply)
            conversations.add(conversation)
        found = await stored(one)

    assert len(conversations) == len(histories)
    assert found == histories[::-1]


async def test_one_that_is_long_past_is_found_by_what_was_replied_there(cluster: Cluster) -> None:
    one, second = (cluster.client(server) for server in cluster.servers)
    async with one, second:
        question = "Where did we leave the old umbrella with the wooden handle, the red one?"
        first, reply = await send(one, question)
        for number in range(MANY):
            await send((one, second)[number % 2], f"Another conversation begins here, and its number is {number}.")
        again, _ = await send(second, question, reply, "In the cellar, then!")

    assert again == first


@pytest.mark.parametrize("cluster", ["mock/n64-h8"], indirect=True)
async def test_a_request_that_is_sent_again_joins_its_turn_on_another_server(
    cluster: Cluster, mock_openrouter: Mock
) -> None:
    first, second = cluster.servers
    question = "Please sing a song of sixty-four verses about the sea and the stars."
    retry = {"x-stainless-lang": "python", "x-stainless-retry-count": "1"}
    sent = asked(question, stream=True)
    async with streamed(first, PATH, json=sent) as there, streamed(second, PATH, json=sent, headers=retry) as here:
        begun = [await anext(there), await anext(here)]
        mock_openrouter.release()
        rest = [[event async for event in events] for events in (there, here)]
    async with cluster.client(second) as client:
        (found,) = await stored(client)

    assert begun[0].raw == begun[1].raw
    assert rest[0] == rest[1]
    assert found[0] == question
    assert len(found) == 2
    assert len(mock_openrouter.bodies()) == 1


async def test_a_request_waits_for_what_another_server_answers_there(cluster: Cluster) -> None:
    one, second = (cluster.client(server) for server in cluster.servers)
    question = "What do you remember of the day of the lantern festival, and of its evening?"
    async with one, second:
        _, reply = await send(one, question)
        answers = await asyncio.gather(
            *(
                send(client, question, reply, f"And then, said the {name}?")
                for client, name in ((one, "fox"), (second, "owl"))
            )
        )
        (found,) = await stored(one)

    assert len({conversation for conversation, _ in answers}) == 1
    assert sorted(found[2:]) == sorted(
        [text for name in ("fox", "owl") for text in [f"And then, said the {name}?"] * 2]
    )
