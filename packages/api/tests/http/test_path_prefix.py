"""Behind a proxy that serves everything under a path of its own."""

import httpx
import pytest

from idolchat_api import ApiSettings

TOLD = {"X-Forwarded-Prefix": "/idol"}
BODY = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def settings(settings: ApiSettings) -> ApiSettings:
    return settings.model_copy(update={"root_path": "/chat-server", "trusted_proxies": ("127.0.0.1",)})


async def test_a_proxy_may_pass_the_prefix_on_or_not(client: httpx.AsyncClient) -> None:
    for path in ("/chat-server/models", "/models"):
        assert (await client.get(path)).json()["object"] == "list"
    assert (await client.post("/chat-server/chat", json=BODY)).status_code == 200
    assert (await client.get("/chat-server")).status_code == 200
    assert (await client.get("/chat-servers/models")).status_code == 404


async def test_a_trusted_proxy_tells_its_prefix(client: httpx.AsyncClient) -> None:
    assert (await client.get("/idol/models", headers=TOLD)).status_code == 200
    assert (await client.get("/models", headers=TOLD)).status_code == 200
    assert (await client.get("/idol/models")).status_code == 404
    for bad in ("idol", "//evil.example", "/a b"):
        assert (await client.get("/models", headers={"X-Forwarded-Prefix": bad})).status_code == 200


async def test_the_reference_works_under_a_prefix(client: httpx.AsyncClient) -> None:
    page = (await client.get("/chat-server/docs")).text

    assert 'src="docs/start.js"' in page
    assert (await client.get("/chat-server/docs/start.js")).status_code == 200
    assert (await client.get("/chat-server/openapi.json")).json()["servers"] == [{"url": "."}]


class TestNobodyTrusted:
    """A server behind no proxy that it trusts."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"root_path": "", "trusted_proxies": ()})

    async def test_strangers_tell_no_prefix(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/idol/models", headers=TOLD)).status_code == 404
