"""A server that is asked to stop while replies are being made."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.conftest import NewRig, Rig
from tests.crash.recovery import compared, go_on, settle
from tests.support.ledger import Ledger, Sent
from tests.support.ledger_client import LedgerClient, ledger_client
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server

SLOW = {"rest": "mock/echo-w4000", "sse": "mock/echo-h3", "ws": "mock/echo-h3"}
SLOWER = {"rest": "mock/echo-w9000", "sse": "mock/echo-d50", "ws": "mock/echo-d50"}


@pytest.fixture
def program(tmp_path: Path, mock_openrouter: Mock) -> Iterator[Server]:
    """Give ``idol serve``, running."""
    settings = {
        "OPENROUTER_API_KEY": "sk-or-v1-canary",
        "OPENROUTER_BASE_URL": mock_openrouter.base_url,
        "IDOLCHAT_SHUTDOWN_GRACE_S": "0.2",
    }
    with Server(tmp_path, settings) as server:
        yield server


async def begin(client: LedgerClient, mock: Mock, sent: list[Sent]) -> list[asyncio.Task[Sent]]:
    """Send side by side, and wait until all replies are being made."""
    tasks = [asyncio.create_task(client.send(one)) for one in sent]
    await mock.wait_for_replies(len(sent))
    return tasks


async def test_running_turns_finish_while_new_ones_are_refused(rig: Rig, mock_openrouter: Mock) -> None:
    """Scenario row 13."""
    ledger = Ledger()
    sent = [Sent(way=way, text=f"{way} {'and on ' * 6}", model=SLOW[way]) for way in SLOW]
    rig.server.start()
    async with ledger_client(rig.server, ledger) as client, asyncio.timeout(60):
        running = await begin(client, mock_openrouter, sent)
        rig.server.send_signal(signal.SIGTERM)
        while (readiness := await client.http.get("/readyz")).status_code == 200:
            pass
        refused = await client.http.post("/chat", json={"messages": [{"role": "user", "content": "And me?"}]})
        mock_openrouter.release()
        await asyncio.gather(*running)
    status = rig.server.wait()
    rig.server.start()
    async with ledger_client(rig.server, ledger) as client:
        differences = await compared(client, rig.server.data)

    assert readiness.json()["status"] == "stopping"
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "shutting_down")
    assert all(one.message_id for one in sent)
    assert (status, differences) == (0, [])


async def test_what_takes_longer_than_the_grace_period_is_kept_as_incomplete(
    new_rig: NewRig, mock_openrouter: Mock
) -> None:
    """Scenario rows 13 and 29."""
    rig, ledger = new_rig(IDOLCHAT_SHUTDOWN_GRACE_S="0.3"), Ledger()
    conversation_id = "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55"
    sent = [Sent(way=way, text=f"{way} {'and on ' * 99}", model=SLOWER[way]) for way in SLOWER]
    waiting = Sent(way="ws", text="waits", conversation_id=conversation_id)
    sent[0].conversation_id = conversation_id
    rig.server.start()
    async with ledger_client(rig.server, ledger) as client, asyncio.timeout(60):
        running = await begin(client, mock_openrouter, sent)
        running.append(asyncio.create_task(client.send(waiting)))
        await asyncio.gather(*(one.spoken.wait() for one in sent[1:]), waiting.begun.wait())
        rig.server.send_signal(signal.SIGTERM)
        await asyncio.gather(*running)
    status, told = rig.server.wait(), [one.failure for one in (*sent, waiting)]
    rig.server.start()
    async with ledger_client(rig.server, ledger) as client:
        states = [await client.state(one) for one in (*sent, waiting)]
        await settle(client)
        await go_on(client)
        differences = await compared(client, rig.server.data)

    assert status == 0
    assert told == ["shutting_down"] * 4
    assert states == ["failed", "incomplete", "incomplete", "failed"]
    assert differences == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_idol_serve_keeps_what_was_acknowledged_however_it_ends(
    program: Server, mock_openrouter: Mock, number: signal.Signals
) -> None:
    """Scenario row 13, with the program as it is started by users."""
    ledger = Ledger()
    one = Sent(way="sse", text="and so on " * 60, model="mock/echo-d300")
    async with ledger_client(program, ledger) as client:
        await client.say("rest", "first")
        sending = asyncio.create_task(client.send(one))
        await mock_openrouter.wait_for_replies(1)
        await one.spoken.wait()
        program.process.send_signal(number)
        await asyncio.wait({sending})
    with program.process as process:
        status = process.wait(timeout=60)
    program.start()
    async with ledger_client(program, ledger) as client:
        differences = await compared(client, program.data)
        state = await client.state(one)
        await settle(client)
        await go_on(client)
        after = await compared(client, program.data)

    assert status == (-number if number is signal.SIGKILL else 0)
    assert state == ("interrupted" if number is signal.SIGKILL else "incomplete")
    assert (differences, after) == ([], [])
