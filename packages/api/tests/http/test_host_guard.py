"""What is refused before it reaches a route."""

import httpx
import pytest

from idolchat_api import ApiSettings

BODY = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.168.1.2", "[::2]"])
async def test_a_name_that_is_not_the_servers_is_refused(client: httpx.AsyncClient, host: str) -> None:
    """A page whose name was made to resolve to this machine (DNS rebinding)."""
    reply = await client.get("/conversations", headers={"Host": host})

    assert (reply.status_code, reply.json()["error"]["code"]) == (421, "host_not_allowed")


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "LOCALHOST", "127.0.0.1", "127.1.2.3:5", "[::1]:8000"])
async def test_this_machines_own_names_are_served(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/livez", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost", "http://127.0.0.1:1"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/chat"), ("POST", "/turns/x/cancel"), ("DELETE", "/conversation/x"), ("PATCH", "/conversation/x")],
)
async def test_a_page_of_another_origin_changes_nothing(
    client: httpx.AsyncClient, origin: str, method: str, path: str
) -> None:
    reply = await client.request(method, path, json=BODY, headers={"Origin": origin})

    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "origin_not_allowed")


async def test_the_servers_own_pages_are_served(client: httpx.AsyncClient, url: str) -> None:
    reply = await client.post("/chat", json=BODY, headers={"Origin": url})

    assert reply.status_code == 200


async def test_no_other_page_may_read(client: httpx.AsyncClient) -> None:
    reply = await client.get("/conversations", headers={"Origin": "https://evil.example"})

    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("path", ["/livez", "/conversations", "/nothing"])
async def test_replies_are_what_they_say_and_kept_by_nobody(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_the_reference_may_load_what_it_shows(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/docs")).headers["content-security-policy"]

    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy


@pytest.mark.parametrize("given", ["a" * 65, "a b", "x\u00e9", "<script>", "../x", ""])
async def test_a_request_id_is_not_taken_unchecked(client: httpx.AsyncClient, given: str) -> None:
    reply = await client.get("/livez", headers=[(b"X-Request-ID", given.encode())])

    assert reply.headers["x-request-id"] not in ("", given)


class TestAllowed:
    """Names and origins that the settings allow."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        allowed = {"allowed_hosts": ("chat.example",), "allowed_origins": ("https://app.example",)}
        return settings.model_copy(update=allowed)

    @pytest.mark.parametrize(("host", "status"), [("chat.example", 200), ("localhost", 200), ("other.example", 421)])
    async def test_a_name_is_served_when_it_is_listed(self, client: httpx.AsyncClient, host: str, status: int) -> None:
        assert (await client.get("/livez", headers={"Host": host})).status_code == status

    async def test_a_page_of_a_listed_origin_may_do_all(self, client: httpx.AsyncClient) -> None:
        origin = {"Origin": "https://app.example"}
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}

        may = await client.options("/chat", headers=origin | asks)
        reply = await client.post("/chat", json=BODY, headers=origin)

        assert (may.status_code, reply.status_code) == (200, 200)
        assert reply.headers["access-control-allow-origin"] == "https://app.example"
