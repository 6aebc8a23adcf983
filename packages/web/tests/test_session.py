"""What the page asks first."""

from typing import Any

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.auth.api_key import KeyRing
from idolchat_api.auth.keys import ApiKey
from idolchat_api.auth.principal import Scope
from idolchat_core import new_id
from idolchat_core.testing import InMemoryStorage


async def test_the_machines_own_user_needs_no_token(client: httpx.AsyncClient) -> None:
    session = (await client.get("/web/session")).json()

    assert (session["login"], session["is_operator"]) == ("none", True)
    assert {"POST /chat/stream", "GET /conversations", "GET /turns/{turn_id}/prompt"} <= set(session["routes"])


async def test_what_is_not_installed_is_not_named(client: httpx.AsyncClient) -> None:
    routes = (await client.get("/web/session")).json()["routes"]

    assert [route for route in routes if "character" in route or "memory" in route] == []


class TestWithALogin:
    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"auth": "api-key"})

    async def test_a_stranger_is_told_to_sign_in_and_no_more(self, client: httpx.AsyncClient) -> None:
        session = (await client.get("/web/session")).json()

        assert session["login"] == "needed"
        assert (session["routes"], session["scopes"], session["user_id"]) == ([], [], None)

    async def test_a_user_is_told_who_the_token_says(self, client: httpx.AsyncClient, storage: InMemoryStorage) -> None:
        user_id = new_id()
        key, kept = ApiKey.make(scopes=frozenset([Scope.CHAT]), user_id=user_id)
        await KeyRing(storage).add(kept)
        header = {"Authorization": f"Bearer {key}"}

        session: dict[str, Any] = (await client.get("/web/session", headers=header)).json()

        assert (session["login"], session["user_id"], session["is_operator"]) == ("given", str(user_id), False)

    async def test_a_token_that_is_not_good_is_refused(self, client: httpx.AsyncClient) -> None:
        reply = await client.get("/web/session", headers={"Authorization": "Bearer nonsense"})

        assert reply.status_code == 401

    async def test_the_page_itself_is_shown_to_anyone(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/")).status_code == 200
