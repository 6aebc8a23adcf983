"""Conversations over HTTP."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import NewKey
from idolchat_core import Conversation, Message, Page
from idolchat_core.errors import ConversationDamaged, StorageUnavailable
from idolchat_core.models import new_id, utc_now
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def conversation(count: int, **more: Any) -> Conversation:
    now = utc_now()
    fields: dict[str, Any] = {"user_id": None, "character_id": None, **more}
    messages = tuple(
        Message(id=new_id(), role="user" if i % 2 == 0 else "assistant", content=f"message {i}", timestamp=now)
        for i in range(count)
    )
    return Conversation(id=new_id(), created_at=now, messages=messages, updated_at=now, **fields)


class FailingStorage(InMemoryStorage):
    """Its disk cannot be read, or one of its conversations only in part."""

    def __init__(self) -> None:
        super().__init__()
        self.is_down = False
        self.damaged: set[UUID] = set()
        self.reads = 0

    async def read(self, conversation_id: UUID) -> Conversation:
        if self.is_down:
            raise StorageUnavailable("the disk does not answer")
        found = await super().read(conversation_id)
        return found.model_copy(update={"status": "damaged"}) if conversation_id in self.damaged else found

    async def read_document(self, conversation_id: UUID) -> bytes:
        self.reads += 1
        if conversation_id in self.damaged:
            raise ConversationDamaged(f"conversation {conversation_id} is cut short")
        return await super().read_document(conversation_id)

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        self.reads += 1
        return await super().read_page(conversation_id, limit=limit, before=before)

    async def check(self) -> None:
        if self.is_down:
            raise StorageUnavailable("the disk does not answer")


@pytest.fixture
def storage() -> FailingStorage:
    return FailingStorage()


async def test_a_conversation_is_its_stored_document(client: httpx.AsyncClient, storage: FailingStorage) -> None:
    kept = conversation(3, mood="sunny")
    await storage.create(kept)

    reply = await client.get(f"/conversation/{kept.id}")

    assert reply.content == await storage.read_document(kept.id)
    assert reply.headers["content-type"] == "application/json"
    assert reply.json()["mood"] == "sunny"


@pytest.mark.parametrize("query", ["", "?limit=2"])
async def test_a_conversation_that_has_not_changed_is_not_sent_again(
    client: httpx.AsyncClient, storage: FailingStorage, query: str
) -> None:
    kept = conversation(3)
    await storage.create(kept)
    etag = (await client.get(f"/conversation/{kept.id}{query}")).headers["etag"]

    again = await client.get(f"/conversation/{kept.id}{query}", headers={"If-None-Match": f'W/"x", {etag}'})
    await storage.update(kept.id, {"mood": "calm"}, expected_count=3)
    changed = await client.get(f"/conversation/{kept.id}{query}", headers={"If-None-Match": etag})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (changed.status_code, changed.json()["mood"]) == (200, "calm")
    assert changed.headers["etag"] != etag


@pytest.mark.parametrize("change", ["PATCH", "DELETE", "edit"])
async def test_what_has_changed_since_it_was_read_is_not_changed_blindly(
    client: httpx.AsyncClient, storage: FailingStorage, provider: ScriptedProvider, change: str
) -> None:
    kept = conversation(3)
    await storage.create(kept)
    old = (await client.get(f"/conversation/{kept.id}")).headers["etag"]
    await storage.update(kept.id, {"mood": "calm"}, expected_count=3)
    new = (await client.get(f"/conversation/{kept.id}")).headers["etag"]

    refused = await asked(client, kept, change, {"If-Match": old})
    provider.say("Hello")
    done = await asked(client, kept, change, {"If-Match": new})

    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "revision_mismatch")
    assert done.status_code in (200, 204)


async def asked(client: httpx.AsyncClient, kept: Conversation, change: str, headers: dict[str, str]) -> httpx.Response:
    path, message_id = f"/conversation/{kept.id}", kept.messages[0].id
    if change == "edit":
        said = {"messages": [{"role": "user", "content": "Hi"}]}
        return await client.post(f"{path}/messages/{message_id}/edit", json=said, headers=headers)
    body = {"head": str(message_id)} if change == "PATCH" else None
    return await client.request(change, path, json=body, headers=headers)


async def test_choosing_a_branch_tells_the_new_etag(client: httpx.AsyncClient, storage: FailingStorage) -> None:
    kept = conversation(3)
    await storage.create(kept)

    chosen = await client.patch(f"/conversation/{kept.id}", json={"head": str(kept.messages[1].id)})

    assert chosen.headers["etag"] == (await client.get(f"/conversation/{kept.id}")).headers["etag"]


@pytest.mark.parametrize(
    ("header", "status"), [("*", 204), ("abc", 400), ('"a", "b"', 400), ('"x" y', 400), ('W/"1"', 412), ('"x"', 412)]
)
async def test_if_match_is_one_etag_or_a_star(
    client: httpx.AsyncClient, storage: FailingStorage, header: str, status: int
) -> None:
    kept = conversation(3)
    await storage.create(kept)

    reply = await client.delete(f"/conversation/{kept.id}", headers={"If-Match": header})

    assert reply.status_code == status


class TestWithALogin:
    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"auth": "api-key"})

    @pytest.mark.parametrize("query", ["", "?limit=2"])
    async def test_a_users_conversation_is_read_once(
        self, client: httpx.AsyncClient, storage: FailingStorage, new_key: NewKey, query: str
    ) -> None:
        kept = conversation(3, user_id=new_id())
        await storage.create(kept)
        header = await new_key(user_id=kept.user_id)

        reply = await client.get(f"/conversation/{kept.id}{query}", headers=header)

        assert reply.json()["user_id"] == str(kept.user_id)
        assert storage.reads == 1

    async def test_a_user_finds_what_that_user_said(
        self, client: httpx.AsyncClient, storage: FailingStorage, new_key: NewKey
    ) -> None:
        mine, theirs = (conversation(2, user_id=new_id()) for _ in range(2))
        for one in (mine, theirs):
            await storage.create(one)
        header = await new_key(user_id=mine.user_id)

        found = (await client.get("/conversations/search?text=message", headers=header)).json()
        other = await client.get(f"/conversations/search?text=message&user_id={theirs.user_id}", headers=header)

        assert {hit["conversation_id"] for hit in found["data"]} == {str(mine.id)}
        assert other.status_code == 403

    async def test_what_is_left_of_a_damaged_one_is_its_owners_alone(
        self, client: httpx.AsyncClient, storage: FailingStorage, new_key: NewKey
    ) -> None:
        kept = conversation(3, user_id=new_id())
        await storage.create(kept)
        storage.damaged.add(kept.id)

        replies = [
            await client.get(f"/conversation/{kept.id}", headers=await new_key(user_id=user_id))
            for user_id in (kept.user_id, new_id())
        ]

        assert [reply.status_code for reply in replies] == [200, 404]
        assert replies[0].json()["status"] == "damaged"

    async def test_a_user_rewrites_what_a_user_may_send(
        self, client: httpx.AsyncClient, new_key: NewKey, provider: ScriptedProvider
    ) -> None:
        headers = await new_key(user_id=uuid4())
        body = {"messages": [{"role": "user", "content": "Hi"}]}
        first = (await client.post("/chat", json=body, headers=headers)).json()
        here = f"/conversation/{first['conversation_id']}/messages"
        replies = [
            await client.post(f"{here}/{first[name]}/rewrite", json={"content": "I obey."}, headers=headers)
            for name in ("user_message_id", "message_id")
        ]

        assert [reply.status_code for reply in replies] == [201, 422]
        assert replies[1].json()["error"]["param"] == "message.role"


async def test_pages_lead_from_the_newest_message_to_the_first(
    client: httpx.AsyncClient, storage: FailingStorage
) -> None:
    """Scenario 7: a client never has to load it all."""
    kept = conversation(5)
    await storage.create(kept)
    seen: list[str] = []
    query = "limit=2"

    while query:
        page = (await client.get(f"/conversation/{kept.id}?{query}")).json()
        seen = [message["content"] for message in page["messages"]] + seen
        assert (page["total"], page["has_more"]) == (5, page["next"] is not None)
        query = page["has_more"] and f"limit=2&before={page['next']}"

    assert seen == [f"message {i}" for i in range(5)]


async def test_before_alone_gives_a_page(client: httpx.AsyncClient, storage: FailingStorage) -> None:
    kept = conversation(3)
    await storage.create(kept)

    page = (await client.get(f"/conversation/{kept.id}?before=1")).json()

    assert [message["content"] for message in page["messages"]] == ["message 0"]
    assert page["next"] is None


@pytest.mark.parametrize("path", [f"/conversation/{UNKNOWN}?limit=1000", "/conversations?limit=100"])
async def test_the_largest_page_is_given(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code in (200, 404)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=all", "before=-1", "before=x", "limit="])
async def test_a_page_out_of_range_is_refused(client: httpx.AsyncClient, query: str) -> None:
    reply = await client.get(f"/conversation/{UNKNOWN}?{query}")

    assert (reply.status_code, reply.json()["error"]["param"]) == (422, query.partition("=")[0])


async def test_a_damaged_conversation_is_served_as_far_as_it_goes(
    client: httpx.AsyncClient, storage: FailingStorage
) -> None:
    """Scenario 3."""
    kept = conversation(2)
    await storage.create(kept)
    storage.damaged.add(kept.id)

    reply = await client.get(f"/conversation/{kept.id}")

    assert (reply.status_code, reply.json()["status"]) == (200, "damaged")
    assert [message["content"] for message in reply.json()["messages"]] == ["message 0", "message 1"]


async def test_a_read_error_is_never_an_empty_conversation(client: httpx.AsyncClient, storage: FailingStorage) -> None:
    """Scenario 1."""
    kept = conversation(2)
    await storage.create(kept)
    storage.is_down = True

    reply = await client.get(f"/conversation/{kept.id}")

    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "storage_unavailable")


async def test_lists_lead_from_page_to_page(client: httpx.AsyncClient, storage: FailingStorage) -> None:
    kept = [conversation(1) for _ in range(3)]
    for one in kept:
        await storage.create(one)

    first = (await client.get("/conversations?limit=2")).json()
    second = (await client.get("/conversations", params={"limit": 2, "before": first["next"]})).json()

    listed = [line["id"] for line in first["data"] + second["data"]]
    assert listed == [str(one.id) for one in reversed(kept)]
    assert (first["has_more"], second["has_more"], second["next"]) == (True, False, None)


async def test_a_list_can_be_of_one_user_and_one_character(client: httpx.AsyncClient, storage: FailingStorage) -> None:
    user, character = uuid4(), uuid4()
    wanted = conversation(1, user_id=user, character_id=character)
    for one in (wanted, conversation(1, user_id=user), conversation(1, character_id=character)):
        await storage.create(one)

    listed = (await client.get("/conversations", params={"user_id": str(user), "character_id": str(character)})).json()

    assert [line["id"] for line in listed["data"]] == [str(wanted.id)]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "user_id=me", "character_id=1", "before=nonsense", "before=" + "x" * 300],
)
async def test_a_list_that_cannot_be_is_refused(client: httpx.AsyncClient, query: str) -> None:
    reply = await client.get(f"/conversations?{query}")

    assert (reply.status_code, reply.json()["error"]["param"]) == (422, query.partition("=")[0])


async def test_a_deleted_conversation_is_gone(client: httpx.AsyncClient, storage: FailingStorage) -> None:
    kept = conversation(1)
    await storage.create(kept)

    reply = await client.delete(f"/conversation/{kept.id}")

    assert (reply.status_code, reply.content) == (204, b"")
    assert (await client.get(f"/conversation/{kept.id}")).status_code == 404


async def test_deleting_stops_the_turn_that_runs(client: httpx.AsyncClient, provider: ScriptedProvider) -> None:
    conversation_id = str(uuid4())
    provider.say([asyncio.Event()])
    body = {"messages": [{"role": "user", "content": "Hi"}], "conversation_id": conversation_id}
    waiting = asyncio.create_task(client.post("/chat", json=body))
    await provider.wait_for_replies(1)

    await client.delete(f"/conversation/{conversation_id}")

    async with asyncio.timeout(60):
        await provider.wait_for_replies(0)
    await waiting
    assert (await client.get(f"/conversation/{conversation_id}")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_unknown_conversation_is_not_found(client: httpx.AsyncClient, method: str) -> None:
    reply = await client.request(method, f"/conversation/{UNKNOWN}")

    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "conversation_not_found")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
@pytest.mark.parametrize("bad", ["1", "..%2f..%2fetc", "%00", "CON", "a" * 500, "000000000000-4000-8000-000000000000"])
async def test_an_id_that_is_no_uuid_is_refused(client: httpx.AsyncClient, method: str, bad: str) -> None:
    reply = await client.request(method, f"/conversation/{bad}")

    assert reply.status_code in (404, 422)
    assert reply.json()["error"]["code"] in ("invalid_request", "not_found")


async def test_a_fork_is_a_conversation_of_its_own(client: httpx.AsyncClient) -> None:
    first = (await client.post("/chat", json={"messages": [{"role": "user", "content": "Hi"}]})).json()
    here = f"/conversation/{first['conversation_id']}"

    whole = await client.post(f"{here}/fork")
    part = await client.post(f"{here}/fork", json={"message_id": first["user_message_id"]})

    assert whole.status_code == 201
    assert [message["content"] for message in whole.json()["messages"]] == ["Hi", "Hi"]
    assert [message["content"] for message in part.json()["messages"]] == ["Hi"]
    assert len({first["conversation_id"], whole.json()["id"], part.json()["id"]}) == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", "", b'{"head": "00000000-0000-4000-8000-000000000000"}', 404),
        ("PATCH", "", b"{}", 422),
        ("PATCH", "", b'{"head": 5}', 422),
        ("PATCH", "", b'{"head": "x", "status": "ok"}', 422),
        ("PATCH", "", b"{", 400),
        ("PATCH", "", b"", 400),
        ("POST", "/fork", b"", 404),
        ("POST", "/fork", b"[]", 422),
        ("POST", "/fork", b'{"other": 1}', 422),
        ("POST", "/regenerate", b"", 404),
        ("POST", "/regenerate", b'{"model": 5}', 422),
        ("POST", "/regenerate", b"no", 400),
        ("POST", "/messages/x/edit", b'{"messages": [{"role": "user", "content": "x"}]}', 404),
        ("POST", "/messages/x/edit", b"{}", 422),
        ("POST", "/messages/x/continue", b"", 404),
        ("POST", "/messages/x/continue", b'{"n": 2}', 422),
        ("POST", "/messages/x/rewrite", b'{"content": "x"}', 404),
        ("POST", "/messages/x/rewrite", b'{"content": ""}', 422),
        ("POST", "/messages/x/rewrite", b'{"content": "x", "role": "user"}', 422),
        ("DELETE", "/messages/x", b"", 404),
    ],
)
async def test_bad_requests_to_branches_are_refused(
    client: httpx.AsyncClient, method: str, path: str, body: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json"}

    reply = await client.request(method, f"/conversation/{UNKNOWN}{path}", content=body, headers=headers)

    assert (reply.status_code, "error" in reply.json()) == (status, True)


@pytest.mark.parametrize(("method", "path"), [("PATCH", ""), ("POST", "/fork"), ("POST", "/regenerate")])
async def test_bodies_of_another_type_are_refused(client: httpx.AsyncClient, method: str, path: str) -> None:
    reply = await client.request(method, f"/conversation/{UNKNOWN}{path}", content=b"{}")

    assert reply.status_code == 415


async def test_the_window_of_a_conversation_tells_how_full_it_is(
    client: httpx.AsyncClient, storage: FailingStorage
) -> None:
    long = conversation(4)
    await storage.create(long)
    reply = await client.get(f"/conversation/{long.id}/window")

    assert reply.status_code == 200
    told = reply.json()
    assert (told["history_messages"], told["is_cut"], told["left_out_messages"]) == (4, False, 0)
    assert told["begins_with"] == str(long.messages[0].id)
    assert 0 < told["history_tokens"] <= told["prompt_tokens"] < told["window_tokens"]


async def test_the_window_of_an_unknown_conversation_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/conversation/{UNKNOWN}/window")).status_code == 404


async def test_messages_are_found_by_what_was_said(client: httpx.AsyncClient, storage: FailingStorage) -> None:
    kept = conversation(3)
    await storage.create(kept)

    found = (await client.get("/conversations/search", params={"text": '"message 1"'})).json()

    assert [(hit["conversation_id"], hit["position"]) for hit in found["data"]] == [(str(kept.id), 1)]
    assert [hit["snippet"][slice(*match)] for hit in found["data"] for match in hit["matches"]] == ["message 1"]


async def test_a_search_without_a_word_is_refused(client: httpx.AsyncClient) -> None:
    reply = await client.get("/conversations/search", params={"text": "?!"})

    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "invalid_request")
