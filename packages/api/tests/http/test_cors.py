"""Preflight requests of pages of other origins."""

import httpx
import pytest

from idolchat_api import ApiSettings

ASKS = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}


async def test_a_refused_page_is_told_the_setting(client: httpx.AsyncClient) -> None:
    refused = await client.options("/chat", headers=ASKS)

    assert refused.status_code == 403
    assert "IDOLCHAT_API_ALLOWED_ORIGINS" in refused.json()["error"]["message"]


class TestSomeOriginsAllowed:
    """A server with one page of another origin."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"allowed_origins": ("https://app.example",)})

    async def test_another_page_is_told_the_setting(self, client: httpx.AsyncClient) -> None:
        refused = await client.options("/chat", headers=ASKS)

        assert refused.status_code == 400
        assert "IDOLCHAT_API_ALLOWED_ORIGINS" in refused.text

    async def test_a_method_that_may_not_be_used_is_answered_with_those_that_may(
        self, client: httpx.AsyncClient
    ) -> None:
        asks = {**ASKS, "Origin": "https://app.example", "Access-Control-Request-Method": "TRACE"}
        refused = await client.options("/chat", headers=asks)

        assert refused.status_code == 400
        assert "PATCH" in refused.text

    async def test_the_page_may_send_the_headers_of_whatever_sdk_it_uses(self, client: httpx.AsyncClient) -> None:
        asked = "authorization,x-stainless-retry-count,x-idolchat-conversation"
        asks = {**ASKS, "Origin": "https://app.example", "Access-Control-Request-Headers": asked}
        allowed = await client.options("/chat", headers=asks)

        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-headers"] == asked

    async def test_the_page_itself_is_let_in(self, client: httpx.AsyncClient) -> None:
        allowed = await client.options("/chat", headers={**ASKS, "Origin": "https://app.example"})

        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
