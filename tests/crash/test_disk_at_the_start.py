"""A disk that fails at each single call while a server starts, and while it reads what it has not read before."""

import errno
import json
from collections.abc import Callable
from itertools import count
from typing import Any
from uuid import uuid4

from tests.crash.conftest import Rig, Tally
from tests.crash.recovery import compared, go_on, is_unavailable
from tests.crash.scenario import play
from tests.support.faults import ERRORS, Kind, error_name
from tests.support.ledger import Ledger
from tests.support.ledger_client import LedgerClient, ledger_client
from tests.support.zygote import ForkedServer


async def test_a_server_that_cannot_start_for_the_disk_says_so_and_starts_later(rig: Rig) -> None:
    """Scenario row 37."""
    ledger = Ledger()
    rig.server.start()
    async with ledger_client(rig.server, ledger) as client:
        await play(client)
    rig.server.kill()
    for number in count(1):
        error = ERRORS[number % len(ERRORS)]
        rig.faults.fail_at(number, error, lasting=True)
        said = start_and_end(rig.server)
        if not rig.faults.hits:
            break
        Tally.faults += 1
        assert "Traceback" not in said, f"{error_name(error)} at call {number}, {rig.faults.last_hit}: {said}"
        rig.faults.release()
    rig.faults.release()
    rig.server.start()
    async with ledger_client(rig.server, ledger) as client:
        assert await compared(client, rig.server.data) == []


def start_and_end(server: ForkedServer) -> str:
    """Start a server that may fail to; give what it said."""
    server.log.write_text("")
    status = server.try_start()
    said = server.log.read_text()
    if status is None:
        server.kill()
    else:
        assert status == 1, said
        assert "idolchat:" in said, said
    return said


READS = [errno.EIO, errno.ESTALE]


async def test_what_cannot_be_read_is_never_taken_for_empty(rig: Rig) -> None:
    """Scenario row 1."""
    ledger = Ledger()
    rig.server.start()
    async with ledger_client(rig.server, ledger) as client:
        await client.say("rest", "one", conversation_id=(first := "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55"))
        await client.say("sse", "two", conversation_id=first)
    before = rig.server.document(first).read_bytes()
    for number in count(1):
        rig.server.restart()
        rig.faults.fail_at(number, READS[number % len(READS)], lasting=True, kinds=Kind.READ)
        async with ledger_client(rig.server, ledger) as client:
            assert await told_wrongly_of(client, first, before) == [], f"call {number}, {rig.faults.last_hit}"
        if not rig.faults.hits:
            break
        Tally.faults += 1
        rig.faults.release()
        assert rig.server.document(first).read_bytes() == before
    rig.faults.release()
    async with ledger_client(rig.server, ledger) as client:
        await go_on(client)
        assert await compared(client, rig.server.data) == []


async def told_wrongly_of(client: LedgerClient, conversation_id: str, document: bytes) -> list[str]:
    """Ask for one conversation in every way that there is; list what is neither true nor an error that says why."""
    messages = json.loads(document)["messages"]
    theirs = {
        "conversation_id": conversation_id,
        "user_id": str(uuid4()),
        "messages": [{"role": "user", "content": "x"}],
    }
    responses = {
        "whole": await client.http.get(f"/conversation/{conversation_id}"),
        "page": await client.http.get(f"/conversation/{conversation_id}?limit=2"),
        "list": await client.http.get("/conversations"),
        "turn": await client.http.get(f"/turns/{client.ledger.sent[0].turn_id}"),
        "chat as another user": await client.http.post("/chat", json=theirs),
    }
    is_true: dict[str, Callable[[Any], bool]] = {
        "whole": lambda told: told["messages"] == messages,
        "page": lambda told: told["messages"] == messages[2:],
        "list": lambda told: [one["id"] for one in told["data"] if is_listed(one, len(messages))] == [conversation_id],
        "turn": lambda told: told["state"] == "completed",
        "chat as another user": lambda told: told["error"]["code"] == "conversation_mismatch",
    }
    return [
        f"{name}: {response.status_code} {response.text}"
        for name, response in responses.items()
        if not is_unavailable(response) and not (response.status_code in (200, 409) and is_true[name](response.json()))
    ]


def is_listed(summary: dict[str, Any], message_count: int) -> bool:
    """Return whether a conversation is listed as it is, or as one that cannot be read."""
    return (summary["status"], summary["message_count"]) in (("ok", message_count), ("damaged", 0))
