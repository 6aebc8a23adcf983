"""What the page asks first."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.auth import Authenticator, Principal, SignIn, Unauthenticated
from idolchat_api.testing import new_key_in
from idolchat_core import ServiceRegistry, Services, hookimpl, new_id
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
        header = await new_key_in(storage)(user_id=user_id)

        session: dict[str, Any] = (await client.get("/web/session", headers=header)).json()

        assert (session["login"], session["user_id"], session["is_operator"]) == ("given", str(user_id), False)

    async def test_a_token_that_is_not_good_is_refused(self, client: httpx.AsyncClient) -> None:
        reply = await client.get("/web/session", headers={"Authorization": "Bearer nonsense"})

        assert reply.status_code == 401

    async def test_a_page_need_not_sign_in_where_keys_are_given_out_otherwise(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/web/session")).json()["sign_in"] is None
        assert "connect-src" not in (await client.get("/")).headers["content-security-policy"]

    async def test_the_page_itself_is_shown_to_anyone(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/")).status_code == 200


class _Project(Authenticator):
    """Gives its tokens out elsewhere, and believes none."""

    @property
    def sign_in(self) -> SignIn:
        return SignIn(kind="supabase", url="https://x.example/auth/v1", public_key="public")

    async def authenticate(self, token: str) -> Principal:
        raise Unauthenticated("no")


class _Scheme:
    @hookimpl
    def idolchat_register_authenticators(self, registry: ServiceRegistry[Authenticator]) -> None:
        registry.add("project", self.open)

    @asynccontextmanager
    async def open(self, services: Services) -> AsyncGenerator[Authenticator]:
        yield _Project()


class TestWhereTokensAreGivenOutElsewhere:
    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"auth": "project"})

    @pytest.fixture
    def schemes(self) -> tuple[object, ...]:
        return (_Scheme(),)

    async def test_a_stranger_is_told_where_to_sign_in(self, client: httpx.AsyncClient) -> None:
        session = (await client.get("/web/session")).json()

        assert session["sign_in"] == {"kind": "supabase", "url": "https://x.example/auth/v1", "public_key": "public"}

    async def test_the_page_may_ask_there_and_nowhere_else(self, client: httpx.AsyncClient) -> None:
        policy = (await client.get("/")).headers["content-security-policy"]

        assert policy.split("; ")[-1] == "connect-src 'self' https://x.example"
        assert policy.count("http") == 1
