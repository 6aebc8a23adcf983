"""What must be true after a server has died and was started again on the same data."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.support.ledger import Sent, active_branch
from tests.support.ledger_client import LedgerClient

__all__ = ["compared", "go_on", "is_unavailable", "settle"]

ENDED = frozenset({"interrupted", "completed"})


def is_unavailable(response: httpx.Response) -> bool:
    """Return whether a server says that its disk does not answer."""
    return response.status_code == 503 and response.json()["error"]["code"] == "storage_unavailable"


async def compared(client: LedgerClient, data: Path) -> list[str]:
    """Hold the ledger against the server and its files; list what differs."""
    ledger = client.ledger
    found = []
    counts = {}
    for conversation_id in ledger.conversations:
        response = await client.http.get(f"/conversation/{conversation_id}")
        if response.status_code == 200:
            document = response.json()
            found += ledger.differences(document)
            counts[conversation_id] = len(document["messages"])
        else:
            found.append(f"conversation {conversation_id}: {response.status_code} {response.text}")
    found += await _of_deleted(client)
    found += await _of_list(client, counts)
    found += _of_files(data)
    for one in ledger.unfinished:
        state = await client.state(one)
        if one.failure is None and state not in ENDED:
            found.append(f"the turn of {one.text!r} is {state}")
    return found


async def settle(client: LedgerClient) -> None:
    """Send again what had no answer, and try again what has no reply: nothing may come twice, and all may go on."""
    for one in client.ledger.unsure:
        if one.is_new:
            await client.send(one)
    for number, one in enumerate(client.ledger.unfinished):
        if one.is_new and number % 2:
            await client.send(one)
        else:
            await client.retry(one)
        if not one.message_id and await _is_newest(client, one):
            raise AssertionError(f"the turn of {one.text!r} cannot be tried again: {one.status} {one.failure}")


async def go_on(client: LedgerClient) -> None:
    """Say something more in every conversation."""
    for conversation_id in client.ledger.conversations:
        one = await client.say("rest", f"further {uuid4()}", conversation_id=conversation_id)
        assert one.message_id, f"conversation {conversation_id} cannot go on: {one.status} {one.failure}"


async def _is_newest(client: LedgerClient, one: Sent) -> bool:
    """Return whether it has the last message of its conversation; an earlier one is not answered any more."""
    assert one.conversation_id
    asked = [
        message for message in active_branch(await client.document(one.conversation_id)) if message["role"] == "user"
    ]
    return bool(asked) and asked[-1]["id"] == one.user_message_id


async def _of_deleted(client: LedgerClient) -> list[str]:
    found = []
    for conversation_id, is_acknowledged in client.ledger.deleted.items():
        response = await client.http.get(f"/conversation/{conversation_id}")
        if response.status_code != 404 and is_acknowledged:
            found.append(f"conversation {conversation_id} was deleted, and is there: {response.status_code}")
    return found


async def _of_list(client: LedgerClient, counts: dict[str, int]) -> list[str]:
    listed: dict[str, Any] = {}
    before: str | None = None
    while before or not listed:
        response = await client.http.get(
            "/conversations", params={"limit": 100} | ({"before": before} if before else {})
        )
        if response.status_code != 200:
            return [f"the list of conversations: {response.status_code} {response.text}"]
        page = response.json()
        listed |= {summary["id"]: summary for summary in page["data"]}
        before = page["next"]
        if not page["data"]:
            break
    found = [f"conversation {key} is not in the list" for key in counts.keys() - listed.keys()]
    for key, summary in listed.items():
        if summary["status"] != "ok" or not summary["message_count"]:
            found.append(f"conversation {key} is listed as {summary}")
        elif key in counts and summary["message_count"] != counts[key]:
            found.append(f"conversation {key} has {counts[key]} messages, and is listed as {summary}")
    return found


def _of_files(data: Path) -> list[str]:
    found = []
    for path in (data / "conversations").rglob("*.json"):
        try:
            json.loads(path.read_bytes())
        except ValueError as error:
            found.append(f"{path.name}: {error}")
    return found
