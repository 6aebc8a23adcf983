"""Who is asking, and for whom: keys, trusted keys, headers of front ends, signed assertions."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from v1_trees import conversations

from idolchat_api import ApiSettings
from idolchat_api.testing import NewKey
from idolchat_api_openai.identity.users import NAMESPACE, id_of
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage

SECRET = "a secret that both servers know, of 32 bytes"
BODY = {"model": "aoi", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def settings(settings: ApiSettings, monkeypatch: pytest.MonkeyPatch) -> ApiSettings:
    monkeypatch.setenv("IDOLCHAT_V1_USER_JWT_SECRET", SECRET)
    return settings.model_copy(update={"auth": "api-key"})


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def token(secret: str = SECRET, alg: str = "HS256", **claims: Any) -> dict[str, str]:
    now = int(time.time())
    payload = {"sub": "u-1", "iss": "open-webui", "iat": now, "exp": now + 300, **claims}
    signed = f"{encoded({'alg': alg, 'typ': 'JWT'})}.{encoded(payload)}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return {"X-OpenWebUI-User-Jwt": f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"}


async def ask(client: httpx.AsyncClient, *headers: dict[str, str], **more: Any) -> httpx.Response:
    merged = {name: value for one in headers for name, value in one.items()}
    return await client.post("/v1/chat/completions", json={**BODY, **more}, headers=merged)


async def owner(storage: InMemoryStorage) -> Any:
    return (await conversations(storage))[-1].user_id


async def test_without_a_token_nobody_is_served(client: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer"}, {"X-OpenWebUI-User-Id": str(uuid4())}):
        assert (await ask(client, headers)).status_code == 401
        assert (await client.get("/v1/models", headers=headers)).status_code == 401


async def test_a_users_key_is_that_user_whatever_headers_say(
    client: httpx.AsyncClient, new_key: NewKey, storage: InMemoryStorage
) -> None:
    ana = uuid4()
    key = await new_key(user_id=ana)

    for headers in ({}, {"X-OpenWebUI-User-Id": str(uuid4())}, {"X-Idolchat-User": "ben"}, token()):
        assert (await ask(client, key, headers)).status_code == 200
        assert await owner(storage) == ana
    assert (await ask(client, key, user="ben")).status_code == 200
    assert await owner(storage) == ana


async def test_a_trusted_key_speaks_for_whom_it_names(
    client: httpx.AsyncClient, new_key: NewKey, storage: InMemoryStorage
) -> None:
    key, ana = await new_key(), uuid4()
    mongo = "507f1f77bcf86cd799439011"
    named: list[tuple[dict[str, str], UUID]] = [
        ({"X-OpenWebUI-User-Id": str(ana)}, ana),
        ({"X-Idolchat-User": mongo, "X-Idolchat-Issuer": "librechat"}, id_of("librechat", mongo)),
        ({"X-LibreChat-User-Id": mongo}, id_of("librechat", mongo)),
        (token(), id_of("open-webui", "u-1")),
    ]
    for headers, user_id in named:
        assert (await ask(client, key, headers)).status_code == 200
        assert await owner(storage) == user_id
    assert (await ask(client, key, user="ben")).status_code == 200
    assert await owner(storage) == id_of("openai", "ben")
    assert (await ask(client, key, {"X-OpenWebUI-User-Id": "{{USER_ID}}"})).status_code == 200
    assert await owner(storage) is None


async def test_a_foreign_id_is_kept_beside_the_one_that_it_becomes(
    client: httpx.AsyncClient, new_key: NewKey, storage: InMemoryStorage
) -> None:
    await ask(client, await new_key(), {"X-LibreChat-User-Id": "507f1f77bcf86cd799439011"})

    (name,) = await storage.list_records(NAMESPACE)
    kept = json.loads(await storage.get_record(NAMESPACE, name) or b"")
    assert (kept["issuer"], kept["id"]) == ("librechat", "507f1f77bcf86cd799439011")
    assert kept["user_id"] == name == str(id_of("librechat", "507f1f77bcf86cd799439011"))


async def test_a_signed_assertion_proves_a_user_by_itself(client: httpx.AsyncClient, storage: InMemoryStorage) -> None:
    ana = uuid4()

    assert (await ask(client, token(sub=str(ana)))).status_code == 200
    assert await owner(storage) == ana


@pytest.mark.parametrize(
    "bad",
    [
        token(secret="another secret, of no less than 32 bytes!"),
        token(alg="none"),
        token(alg="RS256"),
        token(exp=int(time.time()) - 60),
        token(exp=None),
        token(iss="somebody"),
        token(sub=""),
        token(nbf=int(time.time()) + 600),
        {"X-OpenWebUI-User-Jwt": "a.b.c"},
        {"X-OpenWebUI-User-Jwt": "nothing"},
    ],
)
async def test_an_assertion_that_is_not_good_is_refused(
    client: httpx.AsyncClient, new_key: NewKey, bad: dict[str, str]
) -> None:
    assert (await ask(client, bad)).status_code == 401
    assert (await ask(client, await new_key(), bad)).status_code == 401


async def test_a_key_that_only_reads_stays_one_that_only_reads(client: httpx.AsyncClient, new_key: NewKey) -> None:
    reader = await new_key("read")

    assert (await ask(client, reader, {"X-OpenWebUI-User-Id": str(uuid4())})).status_code == 403
    assert (await client.get("/v1/models", headers=reader)).status_code == 200


async def test_who_speaks_for_a_user_may_do_what_that_user_may(
    client: httpx.AsyncClient, new_key: NewKey, directory: InMemoryDirectory
) -> None:
    ana, ben = uuid4(), uuid4()
    directory.add("hers", owner_id=ana, is_private=True)
    key = await new_key("admin")

    seen = {}
    for user in (ana, ben):
        listed = (await client.get("/v1/models", headers={**key, "X-OpenWebUI-User-Id": str(user)})).json()
        seen[user] = [one["id"] for one in listed["data"]]
    assert seen == {ana: ["hers", "aoi"], ben: ["aoi"]}
    assert (await ask(client, key, {"X-OpenWebUI-User-Id": str(ben)}, model="hers")).status_code == 404


async def test_no_user_finds_the_conversation_of_another(
    client: httpx.AsyncClient, new_key: NewKey, storage: InMemoryStorage
) -> None:
    ana, ben = await new_key(user_id=uuid4()), await new_key(user_id=uuid4())
    named = {"X-Idolchat-Conversation": "the same"}
    begun = (await ask(client, ana, named)).json()
    reply = begun["choices"][0]["message"]["content"]
    history = [*BODY["messages"], {"role": "assistant", "content": reply + " and so on for thirty characters"}]

    for headers in (named, {"X-Idolchat-Conversation": begun["conversation_id"]}, {}):
        await ask(client, ben, headers, messages=[*history, {"role": "user", "content": "And?"}])

    hers = await storage.read(UUID(begun["conversation_id"]))
    assert len(hers.messages) == 2
    assert all(one.user_id != hers.user_id for one in await conversations(storage) if one.id != hers.id)


class TestFewRequests:
    """A server that lets a user ask three times a minute."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"user_requests_per_minute": 3})

    async def test_limits_count_whom_a_trusted_key_speaks_for(self, client: httpx.AsyncClient, new_key: NewKey) -> None:
        key, ana = await new_key(), {"X-OpenWebUI-User-Id": str(uuid4())}
        statuses = [(await client.get("/v1/models", headers={**key, **ana})).status_code for _ in range(9)]

        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert (await client.get("/v1/models", headers=key)).status_code == 200
