"""Who is calling is found out before anything else."""

from uuid import uuid4

import httpx
import pytest

from idolchat_api import ApiSettings, create_app
from idolchat_api.auth.authentication import MAX_CACHED, MAX_TOKEN_BYTES, Authentication
from idolchat_api.auth.authenticator import Authenticator
from idolchat_api.auth.principal import LOCAL, Principal, Scope
from idolchat_api.errors import Forbidden, Unauthenticated
from idolchat_api.testing import NewKey
from idolchat_core.errors import ConfigurationError
from idolchat_core.plugins.loader import Plugins


class Counting(Authenticator):
    """Lets every token in but ``bad``, and counts how often it is asked."""

    def __init__(self, trusted_for_s: float) -> None:
        self.asked = 0
        self.trusted_for_s = trusted_for_s  # type: ignore[misc]

    async def authenticate(self, token: str) -> Principal:
        self.asked += 1
        if token == "bad":
            raise Unauthenticated("no")
        return Principal(subject=f"key:{token}", scopes=frozenset({Scope.READ}))


@pytest.mark.parametrize(
    "value",
    [b"", b"Bearer", b"Basic dXNlcjpwYXNz", b"bearer x", b"Bearer \xff\xfe", b"Bearer ' OR 1=1 --",
     b"Bearer idol_aaaaaaaaaaaa_" + 49 * b"a", b"Bearer " + 9000 * b"a", b"Bearer ../../etc/passwd", b"Token x"],
)  # fmt: skip
async def test_what_is_no_good_token_is_refused(client: httpx.AsyncClient, value: bytes) -> None:
    """CVE-2026-42208 was an injection by this header."""
    reply = await client.get("/conversations", headers=[(b"Authorization", value)])

    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "unauthenticated")
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("name", ["X-Forwarded-User", "Remote-User", "X-User-Id", "X-Forwarded-For", "X-Api-Key"])
async def test_no_other_header_lets_anybody_in(client: httpx.AsyncClient, name: str) -> None:
    """CVE-2026-44649: names that only a trusted proxy may send."""
    assert (await client.get("/conversations", headers={name: "127.0.0.1"})).status_code == 401


async def test_a_token_in_the_address_lets_nobody_in(client: httpx.AsyncClient, new_key: NewKey) -> None:
    token = (await new_key())["Authorization"].split()[1]

    for name in ("token", "access_token", "key", "authorization"):
        assert (await client.get("/conversations", params={name: token})).status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/docs", "/openapi.json"])
async def test_anyone_may_ask_how_it_stands(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


async def test_the_document_says_which_token_is_wanted_and_where(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    open_to_all = [path for path, one in document["paths"].items() if {} in one.get("get", {}).get("security", ())]

    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["security"] == [{"bearer": []}]
    assert sorted(open_to_all) == ["/health", "/livez", "/readyz"]


@pytest.mark.parametrize("path", ["/health", "/readyz"])
async def test_strangers_and_users_are_told_the_status_alone(
    client: httpx.AsyncClient, new_key: NewKey, path: str
) -> None:
    for header in ({}, await new_key(user_id=uuid4())):
        assert list((await client.get(path, headers=header)).json()) == ["status"]
    assert "storage" in (await client.get(path, headers=await new_key())).json()


async def test_an_answer_is_used_again() -> None:
    asked = Counting(trusted_for_s=60)
    authentication = Authentication(asked)

    assert await authentication.authenticate_token("a") == await authentication.authenticate_token("a")
    assert asked.asked == 1


async def test_an_answer_is_not_used_for_too_long() -> None:
    asked = Counting(trusted_for_s=0)
    authentication = Authentication(asked)

    await authentication.authenticate_token("a")
    await authentication.authenticate_token("a")

    assert asked.asked == 2


async def test_what_is_remembered_is_bounded() -> None:
    asked = Counting(trusted_for_s=60)
    authentication = Authentication(asked)

    for number in range(MAX_CACHED + 1):
        await authentication.authenticate_token(str(number))
    await authentication.authenticate_token(str(MAX_CACHED))
    await authentication.authenticate_token("0")

    assert asked.asked == MAX_CACHED + 2


async def test_a_token_has_so_many_bytes_and_not_one_more() -> None:
    authentication = Authentication(Counting(0))

    assert (await authentication.authenticate_token("y" * MAX_TOKEN_BYTES)).may(Scope.READ)
    with pytest.raises(Unauthenticated):
        await authentication.authenticate_token("y" * (MAX_TOKEN_BYTES + 1))


async def test_a_refusal_is_not_remembered() -> None:
    asked = Counting(trusted_for_s=60)
    authentication = Authentication(asked)

    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await authentication.authenticate_token("bad")

    assert asked.asked == 2


async def test_without_a_login_only_this_machine_is_served() -> None:
    """Also where another program than ours has chosen the address: ``uvicorn --host 0.0.0.0``."""
    authentication = Authentication(None)

    assert await authentication.authenticate_request({"server": ("127.0.0.1", 8000)}, {}) is LOCAL
    with pytest.raises(Forbidden, match="IDOLCHAT_AUTH"):
        await authentication.authenticate_request({"server": ("192.0.2.1", 8000)}, {})


async def test_anyone_is_no_operator() -> None:
    anyone = await Authentication(None, allow_open=True).authenticate_request({"server": ("192.0.2.1", 8000)}, {})

    assert (anyone.may(Scope.CHAT), anyone.may(Scope.ADMIN), anyone.is_operator) == (True, False, False)


@pytest.mark.parametrize("host", ["::", "192.0.2.1", "chat.example"])
def test_an_open_server_is_refused(plugins: Plugins, host: str) -> None:
    with pytest.raises(ConfigurationError, match="IDOLCHAT_ALLOW_OPEN=1"):
        create_app(settings=ApiSettings(host=host), plugins=plugins)


@pytest.mark.parametrize("fields", [{"allow_open": True}, {"auth": "api-key"}])
def test_a_server_with_a_login_or_the_will_to_be_open_is_made(plugins: Plugins, fields: dict[str, object]) -> None:
    app = create_app(settings=ApiSettings(host="192.0.2.1").model_copy(update=fields), plugins=plugins)

    assert app.title == "idolchat"


def test_a_scheme_that_is_not_there_is_refused(plugins: Plugins) -> None:
    with pytest.raises(ConfigurationError, match="installed: none, api-key"):
        create_app(settings=ApiSettings(auth="ldap"), plugins=plugins)
