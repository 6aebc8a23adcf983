"""The work of a turn, and of a delta from the provider to the connection, in calls: the same on any machine."""

import asyncio
import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from idolchat_api import ApiSettings
from idolchat_core.llm.contract import Delta
from idolchat_core.models import new_id
from idolchat_core.testing import ScriptedProvider

MOST_CALLS = 105
"""A delta took 91 when this was written; 60 of them are the event loop's and the scripted provider's own."""
MOST_CALLS_A_TURN = 2000
"""A turn took 1,750 when this was written, on a connection of its own."""
TURNS = 20
PAGE = {"origin": "https://app.example"}


class Calls:
    """Counts calls of functions, Python's and C's, made by this thread."""

    count = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            self.count += 1


@contextmanager
def counting() -> Iterator[Calls]:
    calls = Calls()
    sys.setprofile(calls)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@pytest.fixture(params=[{}, PAGE], ids=["for a back end", "for a page of another origin"])
def headers(request: pytest.FixtureRequest) -> dict[str, str]:
    sent: dict[str, str] = request.param
    return sent


@pytest.fixture
def settings(settings: ApiSettings, headers: dict[str, str]) -> ApiSettings:
    return settings.model_copy(update={"allowed_origins": tuple(headers.values())})


async def test_a_delta_costs_few_calls(url: str, provider: ScriptedProvider, headers: dict[str, str]) -> None:
    counts = {}
    for deltas in (50, 200, 1200):  # the first is a warm-up
        provider.say([Delta("word ") for _ in range(deltas)])
        with counting() as calls:
            pieces = await asyncio.to_thread(streamed, url, headers)
        assert pieces.count(b'"content":"word "') == deltas
        counts[deltas] = calls.count

    assert (counts[1200] - counts[200]) / 1000 <= MOST_CALLS


async def test_a_turn_without_a_stream_costs_few_calls(
    url: str, provider: ScriptedProvider, headers: dict[str, str]
) -> None:
    known = [str(new_id()) for _ in range(TURNS)]
    provider.say(*["Hello to you!"] * 2 * TURNS)
    for conversation_id in known:
        await asyncio.to_thread(answered, f"{url}/chat", headers, conversation_id=conversation_id)
    with counting() as calls:
        replies = [
            await asyncio.to_thread(answered, f"{url}/chat", headers, conversation_id=conversation_id)
            for conversation_id in known
        ]

    assert [json.loads(reply)["conversation_id"] for reply in replies] == known
    assert calls.count / TURNS <= MOST_CALLS_A_TURN


def streamed(url: str, headers: dict[str, str]) -> bytes:
    return answered(f"{url}/chat/stream", headers)


def answered(address: str, headers: dict[str, str], **more: str) -> bytes:
    body = json.dumps({"messages": [{"role": "user", "content": "Hello!"}], **more}).encode()
    request = urllib.request.Request(address, body, {"content-type": "application/json", **headers})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310  our own address
        return bytes(reply.read())
