"""A fresh install without any key talks, with the real embedded model, over every transport."""

from collections.abc import AsyncIterator

import pytest

from tests.support.server import Server
from tests.support.starting import StartServer
from tests.support.talk import TRANSPORTS, body, say


@pytest.fixture(scope="module")
def server(start_shared_server: StartServer) -> Server:
    return start_shared_server()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_embedded_model_answers_and_remembers(server: Server, transport: str) -> None:
    first = await say(transport, server, "My favourite colour is blue. Say yes.", max_tokens=16)
    second = await say(
        transport, server, "Repeat my message.", conversation_id=first.conversation_id, max_tokens=16, temperature=0
    )
    again = await say(transport, server, "Repeat my message.", max_tokens=16, temperature=0)

    assert first.text.strip()
    assert second.text.strip()
    assert second.end["usage"] != again.end["usage"], "the history is not in the prompt"


@pytest.mark.parametrize("transport", ["sse", "ws"])
async def test_its_deltas_arrive_one_by_one(server: Server, transport: str) -> None:
    heard = await say(transport, server, "Tell me a long story about the sea.", max_tokens=48)

    assert len(heard.pieces) > 20


async def test_other_requests_are_served_while_it_talks(server: Server) -> None:
    """Generation does not hold the event loop: ten requests are answered before the story is over."""
    async with server.client() as client, client.stream("POST", "/chat/stream", json=body(STORY)) as story:
        lines = story.aiter_lines()
        ids = [line async for line in take(lines, 4) if line.startswith("id: ")]
        answers = [(await client.get("/livez")).status_code for _ in range(10)]
        turn_id = ids[0].removeprefix("id: ").split(":")[0]
        cancelled = (await client.post(f"/turns/{turn_id}/cancel")).json()

    assert answers == [200] * 10
    assert cancelled["state"] == "cancelled", "the story was over before the other requests were answered"


STORY = "Tell me a very long story about the sea, of at least two thousand words."


async def take(lines: AsyncIterator[str], count: int) -> AsyncIterator[str]:
    for _ in range(count):
        yield await anext(lines)
