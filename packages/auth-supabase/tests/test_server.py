"""A server with the scheme ``supabase``, over HTTP and WebSocket."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_auth_supabase import plugin
from idolchat_auth_supabase.settings import SupabaseAuthSettings
from idolchat_auth_supabase.testing import Project
from idolchat_core import ConfigurationError, read_settings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

BODY = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
async def url(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[str]:
    monkeypatch.setenv("SUPABASE_URL", project.url)
    monkeypatch.setenv("IDOLCHAT_PLUGINS", "")
    settings = ApiSettings(data_dir=tmp_path / "data", auth="supabase", plugins=())
    async with serving(settings, plugins=[plugin, Parts(InMemoryStorage(), ScriptedProvider())]) as url:
        yield url


async def test_users_have_conversations_of_their_own(url: str, project: Project) -> None:
    user = str(uuid4())
    mine, yours = ({"Authorization": f"Bearer {project.token(sub=who)}"} for who in (user, str(uuid4())))
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        made = (await client.post("/chat", json=BODY, headers=mine)).json()["conversation_id"]
        seen = [(await client.get(f"/conversation/{made}", headers=who)) for who in (mine, yours, {})]

    assert [reply.status_code for reply in seen] == [200, 404, 401]
    assert seen[0].json()["user_id"] == user


async def test_a_socket_takes_the_token_first(url: str, project: Project) -> None:
    async with connect(url.replace("http", "ws", 1) + "/ws/chat") as socket:
        await socket.send(json.dumps({"type": "auth", "token": project.token()}))
        assert json.loads(await socket.recv())["type"] == "authenticated"


async def test_a_token_is_verified_once(url: str, project: Project) -> None:
    project.keys[1:] = []
    header = {"Authorization": f"Bearer {project.token()}"}
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        statuses = {(await client.get("/conversations", headers=header)).status_code for _ in range(5)}

    assert (statuses, project.fetches) == ({200}, 1)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "SUPABASE_URL"),
        ({"SUPABASE_URL": "abcdefghijklmnop"}, "SUPABASE_URL"),
        ({"SUPABASE_URL": "https://x.supabase.co", "IDOLCHAT_SUPABASE_JWT_ALGORITHMS": "none"}, "must be of ES256"),
        ({"SUPABASE_URL": "https://x.supabase.co", "IDOLCHAT_SUPABASE_JWT_ALGORITHMS": "ES256,HS256"}, "must not mix"),
        ({"SUPABASE_URL": "https://x.supabase.co", "IDOLCHAT_SUPABASE_JWT_ALGORITHMS": "HS256"}, "SUPABASE_ANON_KEY"),
        ({"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_JWT_SECRET": "short"}, "at least 32 bytes"),
    ],
)
def test_a_wrong_setting_says_what_to_write(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=said) as wrong:
        read_settings(SupabaseAuthSettings)
    assert "short" not in str(wrong.value)
