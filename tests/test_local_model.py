"""A fresh install without any key talks, with the real embedded model, over every transport."""

import asyncio
import time

import pytest

from tests.support.server import Server, StartServer
from tests.support.talk import TRANSPORTS, say


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
    """Generation is not allowed to hold the event loop."""
    story = asyncio.create_task(say("rest", server, "Tell me a long story about the sea.", max_tokens=200))
    slowest_s = 0.0
    async with server.client() as client:
        while not story.done():
            begun = time.perf_counter()
            assert (await client.get("/livez")).status_code == 200
            slowest_s = max(slowest_s, time.perf_counter() - begun)

    assert (await story).text
    assert slowest_s < 2, "a request waited for the model"
