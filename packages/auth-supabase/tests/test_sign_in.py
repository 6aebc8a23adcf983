"""What pages are told of where to sign in, and that nothing secret is among it."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator

import httpx
import pytest

from idolchat_auth_supabase.authenticator import open_supabase_auth
from idolchat_auth_supabase.settings import SupabaseAuthSettings
from idolchat_auth_supabase.testing import ANON_KEY, Project, User
from idolchat_core import ConfigurationError, read_settings


def jwt_of(role: str) -> str:
    return f"e30.{urlsafe_b64encode(json.dumps({'role': role}).encode()).decode().rstrip('=')}.x"


@pytest.mark.parametrize("key", [ANON_KEY, jwt_of("anon")])
async def test_pages_are_told_the_auth_server_and_its_public_key(project: Project, key: str) -> None:
    async with open_supabase_auth(SupabaseAuthSettings.model_validate({"url": project.url, "anon_key": key})) as auth:
        told = auth.sign_in

    assert told is not None
    assert (told.kind, told.url, told.public_key) == ("supabase", f"{project.url}/auth/v1", key)
    assert told.origin == project.url


async def test_without_a_public_key_pages_ask_for_a_token(project: Project) -> None:
    async with open_supabase_auth(SupabaseAuthSettings(url=project.url)) as auth:
        assert auth.sign_in is None


@pytest.mark.parametrize("key", ["sb_secret_0123456789", jwt_of("service_role")])
def test_a_secret_key_in_the_place_of_the_public_one_stops_the_start(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SUPABASE_URL", "https://x.supabase.co")
    monkeypatch.setenv("SUPABASE_ANON_KEY", key)

    with pytest.raises(ConfigurationError, match=r"SUPABASE_ANON_KEY.*public key") as wrong:
        read_settings(SupabaseAuthSettings)
    assert key not in str(wrong.value)


class TestStandIn:
    """The auth server of these tests keeps sessions as Supabase's does."""

    @pytest.fixture
    async def asked(self, project: Project) -> AsyncGenerator[httpx.AsyncClient]:
        project.users.append(User(email="aoi@example.com", password="melon bread"))
        async with httpx.AsyncClient(base_url=f"{project.url}/auth/v1", headers={"apikey": ANON_KEY}) as client:
            yield client

    async def grant(self, asked: httpx.AsyncClient, kind: str, **body: str) -> httpx.Response:
        return await asked.post("/token", params={"grant_type": kind}, json=body)

    async def test_a_password_begins_a_session_and_a_refresh_token_goes_on(self, asked: httpx.AsyncClient) -> None:
        begun = (await self.grant(asked, "password", email="aoi@example.com", password="melon bread")).json()
        on = (await self.grant(asked, "refresh_token", refresh_token=begun["refresh_token"])).json()
        again = (await self.grant(asked, "refresh_token", refresh_token=begun["refresh_token"])).json()

        assert begun["refresh_token"] != on["refresh_token"] == again["refresh_token"]
        assert begun["expires_in"] == 3600

    async def test_an_old_refresh_token_ends_the_session(self, asked: httpx.AsyncClient) -> None:
        first = newest = (await self.grant(asked, "password", email="aoi@example.com", password="melon bread")).json()
        for _ in range(2):
            newest = (await self.grant(asked, "refresh_token", refresh_token=newest["refresh_token"])).json()
        used = await self.grant(asked, "refresh_token", refresh_token=first["refresh_token"])
        gone = await self.grant(asked, "refresh_token", refresh_token=newest["refresh_token"])

        assert used.json()["error_code"] == "refresh_token_already_used"
        assert gone.json()["error_code"] == "refresh_token_not_found"

    async def test_signing_out_ends_the_session(self, asked: httpx.AsyncClient, project: Project) -> None:
        begun = (await self.grant(asked, "password", email="aoi@example.com", password="melon bread")).json()
        header = {"Authorization": f"Bearer {begun['access_token']}"}
        out = await asked.post("/logout", params={"scope": "local"}, headers=header)

        assert (out.status_code, project.sessions) == (204, 0)

    async def test_a_wrong_password_is_refused_in_supabases_words(self, asked: httpx.AsyncClient) -> None:
        reply = await self.grant(asked, "password", email="aoi@example.com", password="wrong")

        assert (reply.status_code, reply.json()["error_code"]) == (400, "invalid_credentials")
