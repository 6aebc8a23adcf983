"""Files that were cut or overwritten while no server ran: mended, or kept as they are and shown as damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.crash.conftest import Rig
from tests.support.ledger import Ledger
from tests.support.ledger_client import LedgerClient, ledger_client

CONVERSATION = "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55"
TEXTS = ["one", "two", "three"]


async def talked(rig: Rig) -> Path:
    """Hold a conversation, stop the server, and give its file."""
    rig.server.start()
    async with ledger_client(rig.server, Ledger()) as client:
        for text in TEXTS:
            await client.say("rest", text, conversation_id=CONVERSATION)
    rig.server.stop()
    return rig.server.document(CONVERSATION)


async def summary(client: LedgerClient) -> dict[str, Any]:
    """Return the conversation's line in the list, which waits until all files were looked at after the start."""
    [found] = (await client.http.get("/conversations")).json()["data"]
    return dict(found)


def torn_closing(data: bytes) -> bytes:
    return data[:-20]


def without_closing(data: bytes) -> bytes:
    return data[: data.rindex(b"\n]")]


def torn_last_line(data: bytes) -> bytes:
    return data[: data.rindex(b"\n]") - 40]


def zeros_at_the_end(data: bytes) -> bytes:
    return data[: data.rindex(b"\n]") + 5] + bytes(4096)


@pytest.mark.parametrize("without_index", [False, True], ids=["index", "no index"])
@pytest.mark.parametrize(
    ("tear", "kept"), [(torn_closing, 6), (without_closing, 6), (torn_last_line, 5), (zeros_at_the_end, 6)]
)
async def test_a_torn_end_is_mended(rig: Rig, tear: Callable[[bytes], bytes], kept: int, without_index: bool) -> None:
    """Scenario row 37; a message that a whole file held is missing only where its own line was cut."""
    file = await talked(rig)
    messages = json.loads(file.read_bytes())["messages"]
    file.write_bytes(tear(file.read_bytes()))
    if without_index:
        forget_index(rig)
    rig.server.start()
    async with ledger_client(rig.server, Ledger()) as client:
        document = await client.document(CONVERSATION)
        listed = await summary(client)
        more = await client.say("rest", "four", conversation_id=CONVERSATION)

    if kept == len(messages) or without_index:
        assert document["messages"] == messages[:kept]
        assert (listed["status"], listed["message_count"], more.failure) == ("ok", kept, None)
        assert json.loads(file.read_bytes())["messages"][:kept] == messages[:kept]
    else:
        assert (document["messages"], document["status"]) == (messages[:kept], "damaged")
        assert (listed["status"], more.failure) == ("damaged", "conversation_damaged")


def forget_index(rig: Rig) -> None:
    """Remove what the server knew of the file."""
    for index in rig.server.data.glob("index.sqlite3*"):
        index.unlink()


def garbage_in_the_middle(data: bytes) -> bytes:
    at = data.index(b"two")
    return data[:at] + b"\xff\xfe\xff" + data[at + 3 :]


def a_bracket_missing_at_the_start(data: bytes) -> bytes:
    return data[1:]


def cut_in_the_middle(data: bytes) -> bytes:
    return data[: data.index(b"two")]


def nothing_left(data: bytes) -> bytes:
    return b""


def something_else(data: bytes) -> bytes:
    return b"not a conversation at all\n" * 20


@pytest.mark.parametrize("without_index", [False, True], ids=["index", "no index"])
@pytest.mark.parametrize(
    ("spoil", "readable"),
    [
        (garbage_in_the_middle, ["one", "one"]),
        (a_bracket_missing_at_the_start, None),
        (cut_in_the_middle, ["one", "one"]),
        (nothing_left, None),
        (something_else, None),
    ],
)
async def test_a_damaged_file_is_kept_listed_and_never_written_to(
    rig: Rig, spoil: Callable[[bytes], bytes], readable: list[str] | None, without_index: bool
) -> None:
    """Scenario rows 1, 2 and 3."""
    file = await talked(rig)
    spoilt = spoil(file.read_bytes())
    file.write_bytes(spoilt)
    if without_index:
        forget_index(rig)
    rig.server.start()
    async with ledger_client(rig.server, Ledger()) as client:
        listed = await summary(client)
        got = await client.http.get(f"/conversation/{CONVERSATION}")
        more = await client.say("rest", "four", conversation_id=CONVERSATION)

    if spoil is cut_in_the_middle and without_index:
        # What is left is what a crash while "two" was written would have left.
        assert (got.status_code, listed["status"], more.failure) == (200, "ok", None)
        return
    assert (listed["status"], more.failure, more.status) == ("damaged", "conversation_damaged", 500)
    assert file.read_bytes() == spoilt
    if readable is None:
        assert (got.status_code, got.json()["error"]["code"]) == (500, "conversation_damaged")
    else:
        assert got.json()["status"] == "damaged"
        assert [message["content"] for message in got.json()["messages"]][:2] == readable


async def test_a_damaged_file_that_is_put_right_goes_on(rig: Rig) -> None:
    """Scenario row 2."""
    file = await talked(rig)
    whole = file.read_bytes()
    file.write_bytes(garbage_in_the_middle(whole))
    rig.server.start()
    async with ledger_client(rig.server, Ledger()) as client:
        await summary(client)
        before = await client.document(CONVERSATION)
        file.write_bytes(whole)
        more = await client.say("rest", "four", conversation_id=CONVERSATION)
        after = await client.document(CONVERSATION)

    assert before["status"] == "damaged"
    assert more.failure is None
    assert [message["content"] for message in after["messages"]] == [text for text in [*TEXTS, "four"] for _ in (1, 2)]
