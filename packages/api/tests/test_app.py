"""The application as a whole: its errors, its ids, its document."""

import logging
from contextlib import AsyncExitStack, nullcontext
from typing import Any
from uuid import UUID

import httpx
import pytest

from idolchat_api import ApiSettings, create_app, errors
from idolchat_api.errors import STATUSES, problem_from
from idolchat_api.testing import Parts, serving_app
from idolchat_core import Registry, Storage, hookimpl
from idolchat_core import errors as core
from idolchat_core.errors import ConfigurationError, IdolchatError, PluginNameTaken
from idolchat_core.models import Page
from idolchat_core.plugins.loader import Plugins, load_plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider, SharedInMemoryStorage

BODY = {"messages": [{"role": "user", "content": "a secret"}]}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


class BrokenStorage(InMemoryStorage):
    """Fails as no storage should."""

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        raise RuntimeError("a secret that must not leave")


@pytest.mark.parametrize(
    "path", ["/nope", "/chat/more", "/conversation", "/turns", "/conversations/", "/%00", "/../etc/passwd"]
)
async def test_an_unknown_path_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.get(path)

    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/chat", "POST"),
        ("PUT", "/chat/stream", "POST"),
        ("PUT", "/conversations", "GET, POST"),
        ("PUT", f"/conversation/{UNKNOWN}", "DELETE, GET, PATCH"),
        ("DELETE", f"/turns/{UNKNOWN}", "GET"),
        ("GET", f"/turns/{UNKNOWN}/cancel", "POST"),
        ("POST", f"/turns/{UNKNOWN}/stream", "GET, HEAD"),
        ("POST", "/models", "GET"),
        ("POST", "/health", "GET, HEAD"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_refused(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    reply = await client.request(method, path)

    assert (reply.status_code, reply.json()["error"]["code"]) == (405, "method_not_allowed")
    assert reply.headers["allow"] == allowed


@pytest.mark.parametrize("given", ["abc-123", "A.b_c", "x" * 64])
async def test_a_safe_request_id_is_kept(client: httpx.AsyncClient, given: str) -> None:
    reply = await client.get("/nope", headers={"X-Request-ID": given})

    assert reply.headers["x-request-id"] == reply.json()["error"]["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "ü", "a\tb"])
async def test_a_request_id_that_is_not_safe_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    reply = await client.get("/nope", headers={b"X-Request-ID": given.encode()})

    assert reply.headers["x-request-id"] == reply.json()["error"]["request_id"] != given


class TestFaults:
    """A server whose storage fails as it should not."""

    @pytest.fixture
    def plugins(self, provider: ScriptedProvider) -> Plugins:
        return load_plugins(Parts(BrokenStorage(), provider), installed=False)

    async def test_an_unforeseen_fault_is_an_error_without_details(self, client: httpx.AsyncClient) -> None:
        reply = await client.get(f"/conversation/{UNKNOWN}?limit=1")

        said = reply.json()["error"]
        assert (reply.status_code, said["code"], said["type"]) == (500, "internal_error", "server_error")
        assert "secret" not in reply.text
        assert said["request_id"] in said["message"]

    async def test_the_log_tells_where_it_failed(
        self, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        await client.get(f"/conversation/{UNKNOWN}?limit=1")

        failed = next(record for record in caplog.records if record.message == "request failed")
        assert failed.exc_info is not None
        assert failed.exc_info[0] is RuntimeError


def test_every_error_has_a_status() -> None:
    """A class that is added to core's tree must be given a place in the table."""
    kinds = {getattr(core, name) for name in core.__all__} | {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, IdolchatError)
    }

    missing = {kind.__name__ for kind in kinds - STATUSES.keys()} - {"RequestError"}
    assert not missing


def test_a_class_of_a_plugins_own_has_the_status_of_its_parent() -> None:
    class Asleep(core.ProviderUnavailable):
        code = "asleep"

    problem = problem_from(Asleep("later"))

    assert (problem.status, problem.code) == (502, "asleep")


def test_a_providers_408_stays_one() -> None:
    assert problem_from(core.ProviderTimeout("slow", status=408)).status == 408


class Others(Parts):
    """Offers parts under the same names."""


def test_plugins_that_clash_are_told_when_the_app_is_made(storage: InMemoryStorage, provider: ScriptedProvider) -> None:
    with pytest.raises(PluginNameTaken):
        create_app(plugins=[Parts(storage, provider), Others(storage, provider)])


async def test_an_application_that_is_started_again_does_nothing_twice(settings: ApiSettings, plugins: Plugins) -> None:
    app = create_app(settings=settings, plugins=plugins)
    for _ in range(2):
        async with serving_app(app, settings) as url, httpx.AsyncClient(base_url=url) as client:
            reply = await client.post("/chat", json=BODY)

        assert len(reply.headers.get_list("x-request-id")) == 1


async def test_a_wrong_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDOLCHAT_PORT", "eighty")

    with pytest.raises(ConfigurationError, match="IDOLCHAT_PORT"):
        create_app()


class TestOpenApi:
    """The document that describes the API."""

    @pytest.fixture
    async def document(self, client: httpx.AsyncClient) -> dict[str, Any]:
        document: dict[str, Any] = (await client.get("/openapi.json")).json()
        return document

    async def test_every_route_is_in_it(self, document: dict[str, Any], plugins: Plugins) -> None:
        app = create_app(plugins=plugins)
        routes = {
            (route.path, method.lower())  # type: ignore[attr-defined]
            for route in app.routes
            for method in getattr(route, "methods", None) or ()
            if method != "HEAD" and route.path != "/" and not route.path.startswith(("/docs", "/openapi", "/asyncapi"))  # type: ignore[attr-defined]
        }

        assert {(path, method) for path, operations in document["paths"].items() for method in operations} == routes

    async def test_every_operation_has_examples_of_its_replies(self, document: dict[str, Any]) -> None:
        for path, operations in document["paths"].items():
            for operation in operations.values():
                for status, reply in operation["responses"].items():
                    described = next(iter(reply.get("content", {"": {"example": "none"}}).values()))
                    assert "example" in described or "examples" in described, (path, status)

    async def test_every_reference_leads_somewhere(self, document: dict[str, Any]) -> None:
        def references(value: Any) -> set[str]:
            if isinstance(value, dict):
                own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
                return own.union(*map(references, value.values()))
            return set().union(*map(references, value)) if isinstance(value, list) else set()

        schemas = document["components"]["schemas"]
        assert {reference.rpartition("/")[2] for reference in references(document)} <= schemas.keys()

    async def test_documented_errors_are_those_of_the_table(self, document: dict[str, Any]) -> None:
        replies = document["paths"]["/chat"]["post"]["responses"]

        assert {
            "400",
            "402",
            "403",
            "404",
            "409",
            "413",
            "415",
            "421",
            "422",
            "429",
            "500",
            "502",
            "503",
            "504",
        } <= set(replies)
        assert "idempotency_key_reused" in replies["422"]["content"]["application/json"]["examples"]


async def test_what_is_logged_of_a_request_is_no_text_of_its_own(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="idolchat_api"):
        said = (await client.post("/chat", json=BODY)).json()
        await client.post("/chat?note=a+secret", json=BODY)
        await client.get("/a-secret-path")

    logged = [vars(record) for record in caplog.records if record.name.startswith("idolchat")]
    assert (logged[0]["route"], logged[0]["status"], str(logged[0]["turn_id"])) == ("/chat", 200, said["turn_id"])
    assert "secret" not in str(logged)


class SharedParts(Parts):
    def __init__(self, provider: ScriptedProvider) -> None:
        super().__init__(SharedInMemoryStorage(), provider)

    @hookimpl
    def idolchat_register_storages(self, registry: Registry[Storage]) -> None:
        registry.add("local", lambda: nullcontext(self._storage), is_shared=True)


async def begin_two(settings: ApiSettings, parts: Parts) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            app = create_app(settings=settings, plugins=load_plugins(parts, installed=False))
            await stack.enter_async_context(app.router.lifespan_context(app))


async def test_a_data_folder_has_one_server(settings: ApiSettings, provider: ScriptedProvider) -> None:
    with pytest.raises(ConfigurationError, match="in use by another idolchat server"):
        await begin_two(settings, Parts(InMemoryStorage(), provider))


async def test_a_data_folder_has_many_servers_of_a_shared_storage(
    settings: ApiSettings, provider: ScriptedProvider
) -> None:
    await begin_two(settings, SharedParts(provider))
