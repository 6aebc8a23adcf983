"""A disk that fails at each single call, in everything users do: an error is told, nothing is lost, and it passes."""

import asyncio
import errno
from itertools import count
from uuid import uuid4

import httpx
import pytest

from tests.crash.conftest import Rig, Tally
from tests.crash.recovery import compared, go_on, settle
from tests.crash.scenario import play
from tests.support.faults import CHANGES, ERRORS, Kind, error_name
from tests.support.ledger import Ledger
from tests.support.ledger_client import LedgerClient, ledger_client

FAULTS = {
    # what happens: which calls are hit, whether all after the first are, whether a write is done by half before
    "from then on": (CHANGES, True, False),
    "once": (CHANGES, False, False),
    "after half a write": (Kind.WRITE, True, True),
}


def told_wrongly(ledger: Ledger) -> list[str]:
    """List those who were told anything but that the storage cannot be used."""
    return [
        f"{one.text!r} by {one.way}: {one.status} {one.failure}"
        for one in ledger.sent
        if one.failure is not None and (one.failure != "storage_unavailable" or one.status not in (None, 503))
    ]


async def still_served(client: LedgerClient) -> list[str]:
    """Compare what was acknowledged without an error with what is served while the disk fails."""
    found = []
    for conversation_id in client.ledger.conversations:
        if any(one.user_message_id and not one.failure for one in client.ledger.in_conversation(conversation_id)):
            document = await client.document(conversation_id)
            found += client.ledger.differences(document, without_failed=True)
    return found


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_at_any_call_is_told_and_loses_nothing(rig: Rig, fault: str) -> None:
    """Scenario rows 1 and 37."""
    kinds, lasting, torn = FAULTS[fault]
    everything = Ledger()
    rig.server.start()
    for number in count(1):
        ledger, error = Ledger(), ERRORS[number % len(ERRORS)]
        rig.faults.fail_at(number, error, lasting=lasting, torn=torn, kinds=kinds)
        async with ledger_client(rig.server, ledger) as client:
            await play(client)
            if not rig.faults.hits:
                break
            Tally.faults += 1
            where = f"{error_name(error)} {fault} at call {number}, {rig.faults.last_hit}"
            assert told_wrongly(ledger) == [], where
            assert await still_served(client) == [], where
            rig.faults.release()
            await settle(client)
            await go_on(client)
            assert await compared(client, rig.server.data) == [], where
        everything.sent += ledger.sent
        everything.deleted |= ledger.deleted
    rig.faults.release()
    rig.server.restart()
    async with ledger_client(rig.server, everything) as client:
        assert await compared(client, rig.server.data) == []


async def test_a_short_write_is_no_fault_at_all(rig: Rig) -> None:
    """Scenario row 37."""
    everything = Ledger()
    rig.server.start()
    for number in count(1):
        ledger = Ledger()
        rig.faults.fail_at(number, 0, lasting=False, torn=True, kinds=Kind.WRITE)
        async with ledger_client(rig.server, ledger) as client:
            await play(client)
            assert [one.text for one in ledger.sent if one.failure] == [], rig.faults.last_hit
        everything.sent += ledger.sent
        everything.deleted |= ledger.deleted
        if not rig.faults.hits:
            break
        Tally.faults += 1
    rig.faults.release()
    rig.server.restart()
    async with ledger_client(rig.server, everything) as client:
        assert await compared(client, rig.server.data) == []


async def test_nothing_is_acknowledged_while_the_disk_keeps_nothing(rig: Rig) -> None:
    """Scenario row 37; a write that is not synced is lost with the power."""
    ledger = Ledger()
    rig.server.start()
    rig.faults.fail_at(1, errno.EIO, lasting=True, kinds=Kind.SYNC)
    async with ledger_client(rig.server, ledger) as client:
        await play(client)
        acknowledged = [one.text for one in ledger.sent if one.user_message_id or one.message_id]
        rig.faults.release()
        await settle(client)
        await go_on(client)
        differences = await compared(client, rig.server.data)

    assert acknowledged == []
    assert differences == []


@pytest.mark.parametrize("error", ERRORS, ids=error_name)
async def test_health_tells_what_is_wrong_and_when_it_is_over(rig: Rig, error: int) -> None:
    """Scenario row 1."""
    rig.server.start()
    async with ledger_client(rig.server, Ledger()) as client, asyncio.timeout(60):
        rig.faults.fail_at(1, error, lasting=True)
        while (ill := await client.http.get("/health")).status_code == 200:
            pass
        rig.faults.release()
        while (well := await client.http.get("/health")).status_code != 200:
            pass

    said = ill.json()
    assert (ill.status_code, said["status"], said["storage"]["code"]) == (503, "degraded", "storage_unavailable")
    assert "disk" in said["storage"]["message"] or "space" in said["storage"]["message"]
    assert well.json()["status"] == "ok"


async def send_once(http: httpx.AsyncClient, text: str, conversation_id: str) -> str | None:
    """Send a message without a key, and again only where the answer does not say that it is stored."""
    sent = {"messages": [{"role": "user", "content": text}], "conversation_id": conversation_id, "model": "mock/echo"}
    response = await http.post("/chat", json=sent)
    error = response.json().get("error", {})
    if response.status_code == 200 or "user_message_id" in error:
        return None
    assert (response.status_code, error["code"]) == (503, "storage_unavailable"), response.text
    return text


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_message_that_was_refused_is_not_there_or_its_sender_is_told(rig: Rig, fault: str) -> None:
    """A client without a key that sends again after a 503 doubles nothing."""
    kinds, lasting, torn = FAULTS[fault]
    rig.server.start()
    async with httpx.AsyncClient(base_url=rig.server.url, timeout=60) as http:
        for number in count(1):
            conversation_id = str(uuid4())
            rig.faults.fail_at(number, ERRORS[number % len(ERRORS)], lasting=lasting, torn=torn, kinds=kinds)
            refused = [await send_once(http, text, conversation_id) for text in ("one", "two", "three")]
            hits, where = rig.faults.hits, f"{fault} at call {number}, {rig.faults.last_hit}"
            rig.faults.release()
            for text in filter(None, refused):
                assert await send_once(http, text, conversation_id) is None, where
            document = (await http.get(f"/conversation/{conversation_id}")).json()
            said = sorted(message["content"] for message in document["messages"] if message["role"] == "user")
            assert said == ["one", "three", "two"], where
            if not hits:
                break
            Tally.faults += 1
