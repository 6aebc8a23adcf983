"""Health, for people, monitors and orchestrators."""

import asyncio
from contextlib import nullcontext
from uuid import UUID

import httpx
import pytest

from idolchat_api.settings.api import ApiSettings
from idolchat_api.testing import Parts
from idolchat_core.errors import NotAuthorized, ProviderError, ProviderUnavailable, StorageUnavailable
from idolchat_core.plugins.hookspecs import hookimpl
from idolchat_core.plugins.loader import Plugins, load_plugins
from idolchat_core.plugins.registry import Registry, ServiceRegistry
from idolchat_core.storage.changes import Change, ChangeObserver
from idolchat_core.storage.contract import Storage
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, ScriptedProvider


class FullDisk(InMemoryStorage):
    """Takes no write, and counts how often it was asked."""

    asked = 0

    async def check(self) -> None:
        self.asked += 1
        raise StorageUnavailable("the disk is full")


class Unforeseen(InMemoryStorage):
    """Fails its check as no storage should."""

    async def check(self) -> None:
        raise RuntimeError("a secret")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz"])
async def test_a_good_server_says_so(client: httpx.AsyncClient, method: str, path: str) -> None:
    reply = await client.request(method, path)

    assert reply.status_code == 200


async def test_health_tells_of_every_part(client: httpx.AsyncClient) -> None:
    said = (await client.get("/health")).json()

    assert said.pop("version")
    assert said == {
        "status": "ok",
        "storage": {"name": "local", "status": "ok"},
        "llm": {"name": "local", "status": "ok"},
        "mirror": {"pending": 0, "lag_s": 0.0},
        "background": {"status": "ok"},
    }


class Broken(ChangeObserver):
    """Can take no note."""

    async def noted(self, conversation_id: UUID) -> str | None:
        return None

    async def note(self, change: Change) -> None:
        raise OSError("the disk of the notes is full")


class TestBrokenObserver:
    """A server with a plugin that fails in the background."""

    @pytest.fixture
    def plugins(self, storage: InMemoryStorage, provider: ScriptedProvider) -> Plugins:
        class Plugin:
            @hookimpl
            def idolchat_register_change_observers(self, registry: ServiceRegistry[ChangeObserver]) -> None:
                registry.add("notes", lambda _: nullcontext(Broken()))

        return load_plugins(Parts(storage, provider), Plugin(), installed=False)

    async def test_health_names_what_fails_and_turns_go_on(self, client: httpx.AsyncClient) -> None:
        replies = [await client.post("/chat", json={"messages": [{"role": "user", "content": "Hi"}]})]
        async with asyncio.timeout(60):
            while (health := await client.get("/health")).json()["status"] == "ok":
                pass

        assert (replies[0].status_code, health.status_code) == (200, 200)
        assert health.json()["background"] == {
            "status": "failing",
            "failing": {"observer notes": "it fails on 1 conversation; the log says why"},
        }


@pytest.mark.parametrize(
    ("error", "status", "ready"),
    [(ProviderUnavailable("it is down"), "unavailable", 200), (NotAuthorized("the key is wrong"), "error", 503)],
    ids=["away", "wrong key"],
)
async def test_a_provider_that_does_not_work_is_told(
    client: httpx.AsyncClient, provider: ScriptedProvider, error: ProviderError, status: str, ready: int
) -> None:
    """A provider that is away would be so for every replica; a wrong key needs somebody."""
    provider.check_error = error

    health, readiness = await client.get("/health"), await client.get("/readyz")

    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["llm"] == {"name": "local", "status": status, "code": error.code, "message": str(error)}
    assert readiness.status_code == ready


class TestFullDisk:
    """A server that cannot write."""

    @pytest.fixture
    def storage(self) -> FullDisk:
        return FullDisk()

    async def test_health_says_why(self, client: httpx.AsyncClient) -> None:
        health, readiness, liveness = [await client.get(path) for path in ("/health", "/readyz", "/livez")]

        assert [reply.status_code for reply in (health, readiness, liveness)] == [503, 503, 200]
        assert health.json()["status"] == "degraded"
        assert health.json()["storage"] == {
            "name": "local",
            "status": "unavailable",
            "code": "storage_unavailable",
            "message": "the disk is full",
        }

    async def test_the_disk_is_not_touched_at_every_question(
        self, client: httpx.AsyncClient, storage: FullDisk
    ) -> None:
        for _ in range(20):
            await client.get("/health")

        assert storage.asked < 20


class TestUnforeseen:
    """A server whose storage's check is at fault."""

    @pytest.fixture
    def plugins(self, provider: ScriptedProvider) -> Plugins:
        return load_plugins(Parts(Unforeseen(), provider), installed=False)

    async def test_health_answers_all_the_same(self, client: httpx.AsyncClient) -> None:
        reply = await client.get("/health")

        assert (reply.status_code, reply.json()["storage"]["code"]) == (503, "internal_error")
        assert "secret" not in reply.text


class TestMirror:
    """A server whose storage is mirrored."""

    @pytest.fixture
    def mirror(self) -> InMemoryObjects:
        return InMemoryObjects()

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"storage": ("local", "objects")})

    @pytest.fixture
    def plugins(self, mirror: InMemoryObjects, provider: ScriptedProvider) -> Plugins:
        class Objects:
            @hookimpl
            def idolchat_register_storages(self, registry: Registry[Storage]) -> None:
                registry.add("objects", lambda: nullcontext(mirror))

        return load_plugins(Parts(InMemoryStorage(), provider), Objects(), installed=False)

    async def test_health_tells_how_mirrors_are(self, client: httpx.AsyncClient, mirror: InMemoryObjects) -> None:
        well = (await client.get("/health")).json()
        mirror.is_down = True
        await client.post("/chat", json={"messages": [{"role": "user", "content": "Hi"}]})
        async with asyncio.timeout(60):
            while (health := await client.get("/health")).json()["status"] == "ok":
                pass
        said = health.json()["mirror"]

        assert (well["status"], well["mirror"]["pending"], well["mirror"]["mirrors"][0]["status"]) == ("ok", 0, "ok")
        assert (health.status_code, said["pending"], said["lag_s"] > 0, said["conflicts"]) == (200, 1, True, 0)
        assert said["mirrors"] == [
            {
                "name": "objects",
                "status": "unavailable",
                "code": "storage_unavailable",
                "message": "the object store is down",
            }
        ]
