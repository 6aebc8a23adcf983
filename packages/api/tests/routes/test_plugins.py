"""Routes and pages that plugins add, with the rights that they say."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import APIRouter
from starlette.routing import WebSocketRoute

from idolchat_api import Access, ApiSettings, Caller, CurrentCaller, RouteRegistry, Wants, create_app
from idolchat_api.auth.principal import NOBODY
from idolchat_api.testing import NewKey, Parts, serving, serving_app
from idolchat_core import hookimpl
from idolchat_core.errors import PluginBroken, PluginNameTaken
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

type Register = Callable[[RouteRegistry], None]


class Routes:
    """A plugin that registers what it is told."""

    def __init__(self, register: Register) -> None:
        self._register = register

    @hookimpl(optionalhook=True)
    def idolchat_register_routes(self, registry: RouteRegistry) -> None:
        self._register(registry)


def a_router(*paths: str, methods: tuple[str, ...] = ("GET",)) -> APIRouter:
    async def answer(caller: CurrentCaller) -> str:
        return caller.principal.subject

    router = APIRouter()
    for path in paths:
        router.add_api_route(path, answer, methods=list(methods))
    return router


async def everyone(caller: Caller, note_id: str, wants: Wants) -> bool:
    return True


@pytest.fixture
def settings(tmp_path: Path) -> ApiSettings:
    return ApiSettings(data_dir=tmp_path / "data", shutdown_grace_s=5, plugins=(), auth="api-key")


@pytest.fixture
def parts(storage: InMemoryStorage, provider: ScriptedProvider) -> Parts:
    return Parts(storage, provider)


@pytest.mark.parametrize(
    ("access", "method", "statuses"),
    [
        # without a token, and with the scopes read, chat and admin
        (Access.OPEN, "POST", [200, 200, 200, 200]),
        (Access.CALLER, "GET", [401, 200, 200, 200]),
        (Access.CALLER, "POST", [401, 403, 200, 200]),
        (Access.READ, "POST", [401, 200, 200, 200]),
        (Access.CHAT, "GET", [401, 403, 200, 200]),
        (Access.ADMIN, "GET", [401, 403, 403, 200]),
    ],
)
async def test_a_route_is_for_those_that_its_plugin_says(
    settings: ApiSettings, parts: Parts, new_key: NewKey, access: Access, method: str, statuses: list[int]
) -> None:
    plugin = Routes(lambda registry: registry.add_router(a_router("/x", methods=(method,)), access=access))
    headers = [{}, *[await new_key(scope) for scope in ("read", "chat", "admin")]]

    async with serving(settings, plugins=[parts, plugin]) as url, httpx.AsyncClient(base_url=url) as client:
        replies = [await client.request(method, "/x", headers=header) for header in headers]

    assert [reply.status_code for reply in replies] == statuses


async def test_an_id_is_found_by_those_whom_its_rule_lets(settings: ApiSettings, parts: Parts, new_key: NewKey) -> None:
    asked: list[tuple[UUID | None, str, Wants]] = []
    ana = uuid4()

    async def may(caller: Caller, note_id: str, wants: Wants) -> bool:
        asked.append((caller.principal.user_id, note_id, wants))
        return caller.principal.user_id == ana

    router = a_router("/notes/{note_id}", methods=("GET", "PUT"))
    plugin = Routes(lambda registry: registry.add_router(router, access=Access.CALLER, find={"note_id": may}))
    async with serving(settings, plugins=[parts, plugin]) as url, httpx.AsyncClient(base_url=url) as client:
        hers = [await client.get("/notes/7", headers=await new_key(user_id=ana))]
        hers.append(await client.put("/notes/7", headers=await new_key(user_id=ana)))
        other = await client.get("/notes/7", headers=await new_key(user_id=uuid4()))

    assert [reply.status_code for reply in hers] == [200, 200]
    assert asked[:2] == [(ana, "7", Wants.READ), (ana, "7", Wants.WRITE)]
    assert (other.status_code, other.json()["error"]["code"]) == (404, "not_found")
    assert other.json()["error"]["message"] == "no note 7"


async def test_what_an_open_route_finds_is_decided_for_strangers_too(settings: ApiSettings, parts: Parts) -> None:
    async def may(caller: Caller, card_id: str, wants: Wants) -> bool:
        return caller.principal is NOBODY and card_id == "public"

    router = a_router("/cards/{card_id}")
    plugin = Routes(lambda registry: registry.add_router(router, access=Access.OPEN, find={"card_id": may}))
    async with serving(settings, plugins=[parts, plugin]) as url, httpx.AsyncClient(base_url=url) as client:
        statuses = [(await client.get(f"/cards/{card_id}")).status_code for card_id in ("public", "private")]

    assert statuses == [200, 404]


def stated_nothing(registry: RouteRegistry) -> None:
    registry.add_router(a_router("/x"))


def an_id_without_a_rule(registry: RouteRegistry) -> None:
    registry.add_router(a_router("/notes/{note_id}"), access=Access.CALLER)


def a_rule_without_an_id(registry: RouteRegistry) -> None:
    registry.add_router(a_router("/notes"), access=Access.CALLER, find={"note_id": everyone})


def strangers_in_conversations(registry: RouteRegistry) -> None:
    registry.add_router(a_router("/c/{conversation_id}"), access=Access.OPEN)


def a_socket(registry: RouteRegistry) -> None:
    registry.add_router(APIRouter(routes=[WebSocketRoute("/socket", a_socket)]), access=Access.CALLER)


def a_router_in_a_router(registry: RouteRegistry) -> None:
    outer = APIRouter()
    outer.mount("/inner", a_router("/x"))
    registry.add_router(outer, access=Access.CALLER)


def files_without_rights(registry: RouteRegistry) -> None:
    registry.add_static("/ui", Path(__file__).parent)


def files_without_a_slash(registry: RouteRegistry) -> None:
    registry.add_static("ui/", Path(__file__).parent, access=Access.OPEN)


def no_folder(registry: RouteRegistry) -> None:
    registry.add_static("/ui", Path(__file__), access=Access.OPEN)


@pytest.mark.parametrize(
    ("register", "advice"),
    [
        (stated_nothing, r"write registry\.add_router\(router, access=Access\.CALLER\)"),
        (an_id_without_a_rule, r'find=\{"note_id": may\}'),
        (a_rule_without_an_id, "'note_id', which stands in no path"),
        (strangers_in_conversations, "open and takes 'conversation_id'"),
        (a_socket, "holds a WebSocketRoute"),
        (a_router_in_a_router, "holds a Mount"),
        (files_without_rights, r'write registry\.add_static\("/ui", folder, access=Access\.CALLER\)'),
        (files_without_a_slash, "a prefix is / or like /ui"),
        (no_folder, "which is no folder"),
    ],
)
def test_what_a_plugin_leaves_out_stops_the_start(settings: ApiSettings, register: Register, advice: str) -> None:
    with pytest.raises(PluginBroken, match=f"Routes.*{advice}"):
        create_app(settings=settings, plugins=[Routes(register)])


@pytest.mark.parametrize("path", ["/models", "/conversation/{x}", "/docs", "/docs/{x}", "/openapi.json", "/metrics"])
def test_a_path_of_the_server_is_not_taken_over(settings: ApiSettings, path: str) -> None:
    plugin = Routes(
        lambda registry: registry.add_router(
            a_router(path), access=Access.CALLER, find={"x": everyone} if "x" in path else {}
        )
    )

    with pytest.raises(PluginNameTaken, match="idolchat-api already has"):
        create_app(settings=settings, plugins=[plugin])


async def test_a_router_serves_two_applications(settings: ApiSettings, parts: Parts) -> None:
    router = a_router("/x")
    for_operators = Routes(lambda registry: registry.add_router(router, access=Access.ADMIN))
    for_anyone = Routes(lambda registry: registry.add_router(router, access=Access.OPEN))
    statuses = []
    for plugin in (for_operators, for_anyone):
        async with serving(settings, plugins=[parts, plugin]) as url, httpx.AsyncClient(base_url=url) as client:
            statuses.append((await client.get("/x")).status_code)

    assert statuses == [401, 200]


async def test_routes_of_plugins_are_in_the_document(settings: ApiSettings, parts: Parts) -> None:
    def register(registry: RouteRegistry) -> None:
        registry.add_router(a_router("/mine"), access=Access.CALLER)
        registry.add_router(a_router("/all"), access=Access.OPEN)

    options = settings.model_copy(update={"docs": "on"})
    async with serving(options, plugins=[parts, Routes(register)]) as url, httpx.AsyncClient(base_url=url) as client:
        document = (await client.get("/openapi.json")).json()

    assert "security" not in document["paths"]["/mine"]["get"]
    assert document["paths"]["/all"]["get"]["security"] == [{}, {"bearer": []}]


class TestFiles:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "page"
        (folder / "deep").mkdir(parents=True)
        (folder / "index.html").write_text("<title>Here</title>")
        (folder / "deep" / "index.html").write_text("<title>Deep</title>")
        (folder / "app.js").write_text("1")
        (tmp_path / "secret.txt").write_text("secret")
        return folder

    @pytest.fixture(params=["/ui", "/"])
    def prefix(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    async def client(
        self, settings: ApiSettings, parts: Parts, folder: Path, prefix: str
    ) -> AsyncGenerator[httpx.AsyncClient]:
        plugin = Routes(lambda registry: registry.add_static(prefix, folder, access=Access.OPEN))
        async with (
            serving(settings, plugins=[parts, plugin]) as url,
            httpx.AsyncClient(base_url=url + prefix.rstrip("/"), timeout=60) as client,
        ):
            yield client

    async def test_a_folder_is_served_as_pages(self, client: httpx.AsyncClient) -> None:
        replies = [await client.get(path) for path in ("/", "/app.js", "/deep/")]

        assert [reply.text for reply in replies] == ["<title>Here</title>", "1", "<title>Deep</title>"]
        assert replies[1].headers["content-type"].startswith("text/javascript")
        for reply in replies:
            assert reply.headers["content-security-policy"].startswith("default-src 'self';")
            assert "unsafe" not in reply.headers["content-security-policy"]
            assert reply.headers["cache-control"] == "no-cache"

    async def test_a_file_that_has_not_changed_is_not_sent_again(self, client: httpx.AsyncClient) -> None:
        etag = (await client.get("/app.js")).headers["etag"]

        assert (await client.get("/app.js", headers={"If-None-Match": etag})).status_code == 304

    @pytest.mark.parametrize(
        "path", ["/nothing.js", "/deep", "/../secret.txt", "/%2e%2e/secret.txt", "/deep/../../secret.txt"]
    )
    async def test_what_is_not_in_the_folder_is_not_found(self, client: httpx.AsyncClient, path: str) -> None:
        reply = await client.get(path)

        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found")

    async def test_the_other_routes_stay(self, client: httpx.AsyncClient) -> None:
        url = str(client.base_url).removesuffix("/").removesuffix("/ui")

        statuses = [(await client.get(f"{url}{path}")).status_code for path in ("/livez", "/models")]

        assert statuses == [200, 401]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/chat", "POST"), ("HEAD", "/models", "GET"), ("PUT", "/chat/stream", "POST")],
)
async def test_beside_files_of_every_path_a_method_that_a_path_does_not_take_is_refused(
    settings: ApiSettings, parts: Parts, tmp_path: Path, method: str, path: str, allowed: str
) -> None:
    plugin = Routes(lambda registry: registry.add_static("/", tmp_path, access=Access.OPEN))
    async with serving(settings, plugins=[parts, plugin]) as url, httpx.AsyncClient(base_url=url) as client:
        reply = await client.request(method, path)

    assert (reply.status_code, reply.headers.get("allow")) == (405, allowed)


@pytest.mark.parametrize("path", ["/nothing", "/conversation/x/messages/y/nothing"])
async def test_beside_files_of_every_path_what_no_method_finds_is_not_found(
    settings: ApiSettings, parts: Parts, tmp_path: Path, path: str
) -> None:
    plugin = Routes(lambda registry: registry.add_static("/", tmp_path, access=Access.OPEN))
    async with serving(settings, plugins=[parts, plugin]) as url, httpx.AsyncClient(base_url=url) as client:
        replies = [await client.request(method, path) for method in ("GET", "POST", "DELETE")]

    assert [(reply.status_code, reply.json()["error"]["code"]) for reply in replies] == [(404, "not_found")] * 3


async def test_a_prefix_leads_to_its_folder_whatever_the_host_header_says(
    settings: ApiSettings, parts: Parts, tmp_path: Path
) -> None:
    plugin = Routes(lambda registry: registry.add_static("/ui", tmp_path, access=Access.OPEN))
    options = settings.model_copy(update={"allowed_hosts": ("*",)})
    async with serving(options, plugins=[parts, plugin]) as url, httpx.AsyncClient(base_url=url) as client:
        reply = await client.get("/ui", headers={"Host": "evil.example"})

    assert (reply.status_code, reply.headers["location"]) == (308, "/ui/")


async def test_a_route_that_is_added_to_the_application_goes_before_files(
    settings: ApiSettings, parts: Parts, tmp_path: Path
) -> None:
    plugin = Routes(lambda registry: registry.add_static("/", tmp_path, access=Access.OPEN))
    app = create_app(settings=settings, plugins=[parts, plugin])
    app.add_api_route("/mine", lambda: "mine")

    async with serving_app(app, settings) as url, httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/mine")).status_code == 401


async def test_a_path_takes_bodies_as_large_as_its_plugin_says(settings: ApiSettings, parts: Parts) -> None:
    router = a_router("/cards", "/others", methods=("POST",))
    plugin = Routes(lambda registry: registry.add_router(router, access=Access.OPEN, body_limits={"/cards": 10 << 20}))

    async with serving(settings, plugins=[parts, plugin]) as url, httpx.AsyncClient(base_url=url) as client:
        sizes = [("/cards", 9 << 20), ("/others", 9 << 20), ("/cards", 11 << 20)]
        replies = [await client.post(path, content=b" " * size) for path, size in sizes]

    assert [reply.status_code for reply in replies] == [200, 413, 413]


def test_a_limit_for_a_path_that_is_not_there_stops_the_start(settings: ApiSettings, parts: Parts) -> None:
    plugin = Routes(lambda registry: registry.add_router(a_router("/x"), access=Access.OPEN, body_limits={"/y": 1}))

    with pytest.raises(PluginBroken, match="'/y', which is no path"):
        create_app(settings=settings, plugins=[parts, plugin])
