"""The scheme ``api-key``, over HTTP."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from idolchat_api.auth.api_key import NAMESPACE, KeyRing
from idolchat_api.auth.keys import ApiKey
from idolchat_api.auth.principal import Scope
from idolchat_api.testing import NewKey
from idolchat_core.models import utc_now
from idolchat_core.testing import InMemoryStorage

BODY = {"messages": [{"role": "user", "content": "Hi"}]}


def id_of(header: dict[str, str]) -> str:
    return header["Authorization"].split("_")[1]


async def status_until(client: httpx.AsyncClient, header: dict[str, str], wanted: int) -> int:
    """Ask until that is the answer, for no longer than a withdrawn key may work."""
    async with asyncio.timeout(60):
        while (status := (await client.get("/conversations", headers=header)).status_code) != wanted:
            pass
    return status


async def test_a_key_lets_its_caller_in(client: httpx.AsyncClient, new_key: NewKey) -> None:
    reply = await client.post("/chat", json=BODY, headers=await new_key())

    assert reply.status_code == 200


async def test_a_key_made_while_the_server_runs_works_at_once(client: httpx.AsyncClient, new_key: NewKey) -> None:
    assert (await client.get("/conversations")).status_code == 401

    assert (await client.get("/conversations", headers=await new_key("read"))).status_code == 200


async def test_a_revoked_key_stops_within_seconds(
    client: httpx.AsyncClient, new_key: NewKey, storage: InMemoryStorage
) -> None:
    header, ring = await new_key(), KeyRing(storage)
    assert (await client.get("/conversations", headers=header)).status_code == 200
    kept = await ring.find(id_of(header))
    assert kept is not None

    await ring.revoke(kept, utc_now())

    assert await status_until(client, header, 401) == 401


async def test_a_forgotten_key_stops_within_seconds(
    client: httpx.AsyncClient, new_key: NewKey, storage: InMemoryStorage
) -> None:
    header = await new_key()
    assert (await client.get("/conversations", headers=header)).status_code == 200

    await KeyRing(storage).forget(id_of(header))

    assert await status_until(client, header, 401) == 401


async def test_an_expired_key_is_refused(client: httpx.AsyncClient, new_key: NewKey) -> None:
    header = await new_key(expires_at=utc_now() - timedelta(seconds=1))

    assert (await client.get("/conversations", headers=header)).status_code == 401


async def test_a_key_expires_though_it_was_just_good(client: httpx.AsyncClient, new_key: NewKey) -> None:
    header = await new_key(expires_at=utc_now() + timedelta(seconds=3))
    assert (await client.get("/conversations", headers=header)).status_code == 200

    assert await status_until(client, header, 401) == 401


async def test_the_secret_of_another_key_is_no_good(client: httpx.AsyncClient, storage: InMemoryStorage) -> None:
    (key, kept), (_, other) = (ApiKey.make(scopes=frozenset({Scope.CHAT})) for _ in range(2))
    await KeyRing(storage).add(kept.model_copy(update={"hash": other.hash}))

    assert (await client.get("/conversations", headers={"Authorization": f"Bearer {key}"})).status_code == 401


async def test_a_record_that_cannot_be_read_lets_nobody_in(
    client: httpx.AsyncClient, new_key: NewKey, storage: InMemoryStorage
) -> None:
    header = await new_key()
    await storage.put_record(NAMESPACE, id_of(header), b'{"torn')

    assert (await client.get("/conversations", headers=header)).status_code == 500


@pytest.mark.parametrize(("scope", "read", "chat"), [("read", 200, 403), ("chat", 200, 200), ("admin", 200, 200)])
async def test_a_scope_says_what_may_be_done(
    client: httpx.AsyncClient, new_key: NewKey, scope: str, read: int, chat: int
) -> None:
    header = await new_key(scope)

    assert (await client.get("/conversations", headers=header)).status_code == read
    assert (await client.post("/chat", json=BODY, headers=header)).status_code == chat


async def test_a_key_without_a_user_acts_for_any(
    client: httpx.AsyncClient, new_key: NewKey, storage: InMemoryStorage
) -> None:
    header, user = await new_key(), str(uuid4())

    made = (await client.post("/chat", json=BODY | {"user_id": user}, headers=header)).json()["conversation_id"]

    assert str((await storage.read(UUID(made))).user_id) == user
    assert (await client.get(f"/conversation/{made}", headers=header)).status_code == 200
    assert (await client.delete(f"/conversation/{made}", headers=header)).status_code == 204


async def test_a_key_with_a_user_is_that_user(
    client: httpx.AsyncClient, new_key: NewKey, storage: InMemoryStorage
) -> None:
    user = uuid4()
    header = await new_key(user_id=user)

    made = (await client.post("/chat", json=BODY, headers=header)).json()["conversation_id"]
    as_another = await client.post("/chat", json=BODY | {"user_id": str(uuid4())}, headers=header)

    assert (await storage.read(UUID(made))).user_id == user
    assert (as_another.status_code, as_another.json()["error"]["param"]) == (403, "user_id")


async def test_an_admin_with_a_user_may_act_for_others(client: httpx.AsyncClient, new_key: NewKey) -> None:
    theirs = (await client.post("/chat", json=BODY, headers=await new_key(user_id=uuid4()))).json()["conversation_id"]

    reply = await client.delete(f"/conversation/{theirs}", headers=await new_key("admin", user_id=uuid4()))

    assert reply.status_code == 204


async def test_the_same_key_of_two_users_is_no_ones_but_their_own(client: httpx.AsyncClient, new_key: NewKey) -> None:
    """An idempotency key, that is: it is of its user, though both chose the same."""
    mine, yours = await new_key(user_id=uuid4()), await new_key(user_id=uuid4())
    again = {"Idempotency-Key": '"once"'}

    first, second, replayed = [
        (await client.post("/chat", json=BODY, headers=header | again)).json() for header in (mine, yours, mine)
    ]

    assert first["turn_id"] != second["turn_id"]
    assert first["conversation_id"] != second["conversation_id"]
    assert replayed["turn_id"] == first["turn_id"]
