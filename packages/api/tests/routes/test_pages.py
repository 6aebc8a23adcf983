"""The server's own pages."""

import re

import httpx
import pytest

from idolchat_api import ApiSettings

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9"}


async def test_a_browser_is_shown_where_to_go(client: httpx.AsyncClient) -> None:
    page = await client.get("/", headers=BROWSER)

    assert page.headers["content-type"].startswith("text/html")
    assert "idolchat server" in page.text
    assert [(await client.get(f"/{link}")).status_code for link in re.findall('href="([^"]+)"', page.text)] == [200]


async def test_other_clients_are_told_the_same_in_plain_text(client: httpx.AsyncClient) -> None:
    reply = await client.get("/")

    assert reply.headers["content-type"].startswith("text/plain")
    assert "described at /docs" in reply.text


async def test_the_reference_needs_no_other_server(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    loaded = re.findall('(?:src|href)="([^"]+)"', page.text)
    replies = [await client.get(f"/{path}") for path in loaded]

    assert sorted(loaded) == [
        "docs/events",
        "docs/reference.css",
        "docs/start.js",
        "docs/swagger-ui-bundle.js",
        "docs/swagger-ui.css",
    ]
    assert [reply.status_code for reply in (page, *replies)] == [200] * 6
    assert "https://" not in page.text
    assert "<script>" not in page.text
    assert "SwaggerUIBundle" in replies[loaded.index("docs/swagger-ui-bundle.js")].text


class TestClosed:
    """A server with a login, which shows no reference unless it is told to."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"auth": "api-key"})

    @pytest.mark.parametrize("path", ["/docs", "/docs/start.js", "/docs/events", "/openapi.json", "/asyncapi.json"])
    async def test_no_part_of_the_reference_is_there(self, client: httpx.AsyncClient, path: str) -> None:
        assert (await client.get(path)).status_code == 404

    async def test_the_start_page_leads_nowhere_that_is_closed(self, client: httpx.AsyncClient) -> None:
        page = await client.get("/", headers=BROWSER)

        assert (page.status_code, "href" in page.text) == (200, False)
        assert "IDOLCHAT_API_DOCS" in page.text
