"""Turns by their id."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_core.errors import ProviderUnavailable
from idolchat_core.testing import ScriptedProvider

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def begin(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": "one two three"}], **fields}
    said: dict[str, Any] = (await client.post("/chat", json=body)).json()
    return said


async def test_a_turn_tells_how_it_ended(client: httpx.AsyncClient) -> None:
    begun = await begin(client)

    said = (await client.get(f"/turns/{begun['turn_id']}")).json()

    assert (said["state"], said["content"], said["model"]) == ("completed", "one two three", "scripted/model")
    assert said["message_id"] == begun["message_id"]
    assert said["usage"]["output_tokens"] == 3


async def test_a_turn_whose_reply_was_deleted_tells_no_other_reply(client: httpx.AsyncClient) -> None:
    begun = await begin(client)
    here = f"/conversation/{begun['conversation_id']}"
    again = (await client.post(f"{here}/regenerate", json={})).json()
    await client.delete(f"{here}/messages/{begun['message_id']}")

    deleted, kept = [(await client.get(f"/turns/{one['turn_id']}")).json() for one in (begun, again)]

    assert (deleted["message_id"], deleted["content"]) == (begun["message_id"], "")
    assert (kept["message_id"], kept["content"]) == (again["message_id"], "one two three")


async def test_a_running_turn_tells_what_it_has_said(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    """Scenario 10: who was away asks how it stands."""
    conversation_id, go_on = str(uuid4()), asyncio.Event()
    provider.say(["Once upon ", go_on, "a time."])
    waiting = asyncio.create_task(begin(client, conversation_id=conversation_id))
    await provider.wait_for_replies(1)
    turn_id = (await client.get(f"/conversation/{conversation_id}")).json()["messages"][0]["turn_id"]

    running = (await client.get(f"/turns/{turn_id}")).json()
    go_on.set()
    await waiting
    over = (await client.get(f"/turns/{turn_id}")).json()

    assert (running["state"], running["content"]) == ("running", "Once upon ")
    assert (over["state"], over["content"]) == ("completed", "Once upon a time.")


async def test_cancelling_keeps_what_was_said(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    """Scenario 11."""
    conversation_id = str(uuid4())
    provider.say(["Once upon ", asyncio.Event()])
    waiting = asyncio.create_task(begin(client, conversation_id=conversation_id))
    await provider.wait_for_replies(1)
    turn_id = (await client.get(f"/conversation/{conversation_id}")).json()["messages"][0]["turn_id"]

    said = (await client.post(f"/turns/{turn_id}/cancel")).json()

    await waiting
    assert (said["state"], said["content"]) == ("cancelled", "Once upon ")
    stored = (await client.get(f"/conversation/{conversation_id}")).json()["messages"][1]
    assert (stored["content"], stored["finish_reason"]) == ("Once upon ", "cancelled")


async def test_a_turn_that_is_over_is_not_cancelled(client: httpx.AsyncClient) -> None:
    begun = await begin(client)

    said = (await client.post(f"/turns/{begun['turn_id']}/cancel")).json()

    assert said["state"] == "completed"


async def test_a_retry_can_be_streamed_and_run_otherwise(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    provider.say([ProviderUnavailable("down")])
    failed = (await begin(client))["error"]

    reply = await client.post(f"/turns/{failed['turn_id']}/retry", json={"stream": True, "temperature": 0})

    assert reply.headers["content-type"].startswith("text/event-stream")
    assert provider.requests[1].options == {"temperature": 0}


async def test_a_good_turn_is_not_retried(client: httpx.AsyncClient) -> None:
    begun = await begin(client)

    reply = await client.post(f"/turns/{begun['turn_id']}/retry")

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "turn_not_retryable")


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 422),
        (b'{"n": 3}', {"Content-Type": "application/json"}, 422),
        (b"{}", {"Content-Type": "text/plain"}, 415),
    ],
)
async def test_a_retry_with_a_bad_body_is_refused(
    client: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    reply = await client.post(f"/turns/{UNKNOWN}/retry", content=content, headers=headers)

    assert (reply.status_code, "error" in reply.json()) == (status, True)


ROUTES = [("GET", ""), ("GET", "/prompt"), ("GET", "/stream"), ("POST", "/cancel"), ("POST", "/retry")]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_an_unknown_turn_is_not_found(client: httpx.AsyncClient, method: str, path: str) -> None:
    reply = await client.request(method, f"/turns/{UNKNOWN}{path}")

    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "turn_not_found")


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("bad", ["1", "null", "..%5c..%5cwin.ini", "%F0%9F%8C%B8"])
async def test_a_turn_id_that_is_no_uuid_is_refused(
    client: httpx.AsyncClient, method: str, path: str, bad: str
) -> None:
    reply = await client.request(method, f"/turns/{bad}{path}")

    said = reply.json()["error"]
    assert (reply.status_code, said["code"], said["param"]) == (422, "invalid_request", "turn_id")


class TestForgetfulServer:
    """A server that keeps no events."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"turn_retention_s": 0.0})

    async def test_events_that_are_gone_are_gone_for_good(
        self, client: httpx.AsyncClient, provider: ScriptedProvider
    ) -> None:
        """Scenario 17: a resume that comes too late starts nothing."""
        begun = await begin(client)

        reply = await client.get(f"/turns/{begun['turn_id']}/stream")

        assert (reply.status_code, reply.json()["error"]["code"]) == (410, "turn_expired")
        assert len(provider.requests) == 1

    async def test_how_a_turn_ended_is_still_known(self, client: httpx.AsyncClient) -> None:
        begun = await begin(client)

        said = (await client.get(f"/turns/{begun['turn_id']}")).json()

        assert (said["state"], said["content"]) == ("completed", "one two three")


async def test_the_prompt_of_a_turn_is_explained_without_its_text(client: httpx.AsyncClient) -> None:
    begun = (await client.post("/chat", json={"messages": [{"role": "user", "content": "Sing!"}]})).json()
    explained = (await client.get(f"/turns/{begun['turn_id']}/prompt")).json()

    assert (explained["turn_id"], explained["history_messages"]) == (begun["turn_id"], 1)
    assert 0 < explained["tokens"] < explained["window_tokens"]
    assert "Sing" not in str(explained)
