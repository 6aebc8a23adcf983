"""Every route and every frame of the running server, tried with somebody else's ids (CVE-2026-45349, CVE-2026-31950).

Nothing here names a route: what there is to try is read from the application. A route that is added is tried too.
"""

import json
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import Route, WebSocketRoute
from websockets.asyncio.client import connect

from idolchat_api import Access, ApiSettings, Caller, RouteRegistry, Wants, create_app, hookspecs
from idolchat_api.testing import NewKey, Parts, serving_app
from idolchat_core import hookimpl
from idolchat_core.errors import ConfigurationError
from idolchat_core.models import Conversation
from idolchat_core.plugins.loader import Fillable, Plugins, load_plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

MESSAGES = [{"role": "user", "content": "Hi"}]
PARAMETER = re.compile(r"{(\w+)")


@dataclass(frozen=True)
class Ids:
    """What somebody may ask for."""

    conversation_id: str
    turn_id: str
    message_id: str
    user_id: str
    note_id: str

    def hidden_in(self, reply: str) -> str:
        """Give a reply without the ids, so that two can be compared."""
        for name, value in vars(self).items():
            reply = reply.replace(value, name)
        return re.sub(r'"request_id": ?"[^"]*"', "", reply)


def unknown() -> Ids:
    return Ids(*(str(uuid4()) for _ in range(5)))


@dataclass(frozen=True)
class Scene:
    """A running server with a conversation of one user's, and another user."""

    app: FastAPI
    url: str
    theirs: Ids
    stranger: dict[str, str]
    storage: InMemoryStorage
    provider: ScriptedProvider

    async def state(self) -> tuple[Conversation, int, int]:
        """Give what nothing that is tried may change."""
        theirs = await self.storage.read(UUID(self.theirs.conversation_id))
        return theirs, len((await self.storage.list(limit=100)).data), len(self.provider.requests)

    async def leaks(self) -> list[str]:
        """Try every route, and name those that tell another user's ids from unknown ones, or change something."""
        found = []
        async with httpx.AsyncClient(base_url=self.url, headers=self.stranger, timeout=60) as client:
            for method, path in attempts(self.app):
                before = await self.state()
                told = [await self.told(client, method, path, ids) for ids in (self.theirs, unknown())]
                if told[0] != told[1] or told[0][0] not in (403, 404) or await self.state() != before:
                    found.append(f"{method} {path}: {told}")
        return found

    async def told(self, client: httpx.AsyncClient, method: str, path: str, ids: Ids) -> tuple[int, str]:
        reply = await client.request(method, path.format(**vars(ids)), json=body_for(method, ids))
        return reply.status_code, ids.hidden_in(reply.text)


def body_for(method: str, ids: Ids) -> Any:
    return {"messages": MESSAGES, "head": ids.message_id} if method in ("POST", "PATCH", "PUT") else None


def attempts(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Find every route that takes an id in its path, or in its query as the OpenAPI document says."""
    for route in app.routes:
        if isinstance(route, Route) and PARAMETER.search(route.path):
            for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, re.sub(r":\w+}", "}", route.path)
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            asked = [parameter for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
            needed = "".join(f"{parameter['name']}=x&" for parameter in asked if parameter.get("required"))
            for parameter in asked:
                if parameter["name"] in vars(unknown()):
                    yield method.upper(), f"{path}?{needed}{parameter['name']}={{{parameter['name']}}}"


class Notes:
    """A plugin with something of a user's own behind ids of a new kind."""

    def __init__(self) -> None:
        self.owners: dict[str, UUID | None] = {}

    @hookimpl(optionalhook=True)
    def idolchat_register_routes(self, registry: RouteRegistry) -> None:
        async def may(caller: Caller, note_id: str, wants: Wants) -> bool:
            return note_id in self.owners and self.owners[note_id] == caller.principal.user_id

        async def show(note_id: str) -> UUID | None:
            return self.owners[note_id]

        async def forget(note_id: str) -> None:
            del self.owners[note_id]

        router = APIRouter()
        router.add_api_route("/notes/{note_id}", show)
        router.add_api_route("/notes/{note_id}", forget, methods=["DELETE"])
        router.add_api_route("/notes/{note_id}/of/{conversation_id}", show)
        registry.add_router(router, access=Access.CALLER, find={"note_id": may})


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def plugins(storage: InMemoryStorage, provider: ScriptedProvider, notes: Notes) -> Plugins:
    registries: dict[str, Fillable] = {"idolchat_register_routes": RouteRegistry()}
    return load_plugins(Parts(storage, provider), notes, installed=False, specs=[hookspecs], registries=registries)


@pytest.fixture
async def scene(
    settings: ApiSettings,
    plugins: Plugins,
    new_key: NewKey,
    storage: InMemoryStorage,
    provider: ScriptedProvider,
    notes: Notes,
) -> AsyncGenerator[Scene]:
    app, owner = create_app(settings=settings, plugins=plugins), uuid4()
    async with serving_app(app, settings) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        header = await new_key(user_id=owner)
        made = (await client.post("/chat", json={"messages": MESSAGES}, headers=header)).json()
        theirs = Ids(made["conversation_id"], made["turn_id"], made["message_id"], str(owner), str(uuid4()))
        notes.owners[theirs.note_id] = owner
        yield Scene(app, url, theirs, await new_key(user_id=uuid4()), storage, provider)


async def test_no_route_tells_of_what_is_somebody_elses(scene: Scene) -> None:
    assert len(list(attempts(scene.app))) > 10

    assert await scene.leaks() == []


async def test_routes_of_plugins_are_tried_too(scene: Scene, notes: Notes, new_key: NewKey) -> None:
    tried = [path for _, path in attempts(scene.app) if "note_id" in path]
    owner = await new_key(user_id=UUID(scene.theirs.user_id))

    async with httpx.AsyncClient(base_url=scene.url, headers=owner) as client:
        statuses = [(await client.get(path.format(**vars(scene.theirs)))).status_code for path in tried]

    assert statuses == [200, 200, 200]
    assert scene.theirs.note_id in notes.owners


async def test_a_turn_cannot_be_begun_in_somebody_elses_conversation(scene: Scene) -> None:
    taking = [
        path
        for path, operations in scene.app.openapi()["paths"].items()
        if "TurnRequest" in json.dumps(operations.get("post", {})) and "{" not in path
    ]
    assert "/chat" in taking
    before = await scene.state()

    async with httpx.AsyncClient(base_url=scene.url, headers=scene.stranger, timeout=60) as client:
        for path in taking:
            body = {"messages": MESSAGES, "conversation_id": scene.theirs.conversation_id}
            reply = await client.post(path, json=body)
            assert (reply.status_code, reply.json()["error"]["code"]) == (404, "conversation_not_found"), path
            refused = [await client.post(path, json={"messages": MESSAGES, "user_id": ids.user_id})
                       for ids in (scene.theirs, unknown())]  # fmt: skip
            assert [r.status_code for r in refused] == [403, 403], path
    assert await scene.state() == before


async def test_a_list_holds_ones_own_alone(scene: Scene) -> None:
    async with httpx.AsyncClient(base_url=scene.url, headers=scene.stranger, timeout=60) as client:
        made = (await client.post("/chat", json={"messages": MESSAGES})).json()["conversation_id"]
        listed = (await client.get("/conversations")).json()["data"]

    assert [conversation["id"] for conversation in listed] == [made]


async def test_a_conversation_of_nobody_is_not_everybodys(scene: Scene, new_key: NewKey) -> None:
    async with httpx.AsyncClient(base_url=scene.url, timeout=60) as client:
        made = (await client.post("/chat", json={"messages": MESSAGES}, headers=await new_key())).json()
        for reply in (
            await client.get(f"/conversation/{made['conversation_id']}", headers=scene.stranger),
            await client.get(f"/turns/{made['turn_id']}", headers=scene.stranger),
        ):
            assert reply.status_code == 404


async def test_a_route_that_is_added_is_protected(settings: ApiSettings, plugins: Plugins, new_key: NewKey) -> None:
    app = create_app(settings=settings, plugins=plugins)
    app.add_api_route("/conversation/{conversation_id}/title", lambda conversation_id: conversation_id)

    async with serving_app(app, settings) as url, httpx.AsyncClient(base_url=url) as client:
        path = f"/conversation/{uuid4()}/title"
        statuses = [
            (await client.get(path, headers=header)).status_code
            for header in ({}, await new_key(user_id=uuid4()), await new_key())
        ]

    assert statuses == [401, 404, 200]


async def test_a_route_that_is_not_protected_is_found_out(scene: Scene) -> None:
    """That is, the test above would fail: this route is added too late for the server to protect it."""

    async def show(conversation_id: UUID) -> Conversation:
        return await scene.storage.read(conversation_id)

    scene.app.add_api_route("/conversation/{conversation_id}/all", show)

    assert [leak.split(":")[0] for leak in await scene.leaks()] == ["GET /conversation/{conversation_id}/all"]


@pytest.mark.parametrize("path", ["/memories/{memory_id}", "/messages/{message_id}"])
async def test_a_server_with_ids_that_no_rule_knows_does_not_start(
    settings: ApiSettings, plugins: Plugins, path: str
) -> None:
    app = create_app(settings=settings, plugins=plugins)
    app.add_api_route(path, lambda: None)

    with pytest.raises(ConfigurationError, match=path.split("{")[1].rstrip("}")):
        async with serving_app(app, settings):
            pass


async def test_no_frame_tells_of_what_is_somebody_elses(scene: Scene) -> None:
    sockets = [route.path for route in scene.app.routes if isinstance(route, WebSocketRoute)]
    assert sockets
    for path in sockets:
        kinds = await heard(scene, path, {"type": "?"})
        named = re.findall(r"\w+", kinds["message"].partition("one of ")[2])
        assert {"message", "resume"} <= set(named)
        for kind in named:
            for ids in ({"turn_id"}, {"user_id"}, {"turn_id", "conversation_id"}):
                before = await scene.state()
                told = [await heard(scene, path, frame_of(kind, ids, whose)) for whose in (scene.theirs, unknown())]
                assert told[0] == told[1], (kind, ids)
                assert told[0]["type"] in ("error", "pong"), (kind, ids)
                assert await scene.state() == before


@pytest.mark.parametrize("kind", ["message", "start_conversation"])
async def test_no_frame_goes_on_with_somebody_elses_conversation(scene: Scene, kind: str) -> None:
    before = await scene.state()

    told = await heard(scene, "/ws/chat", frame_of(kind, {"conversation_id"}, scene.theirs))

    assert (told["type"], told["code"]) == ("error", "conversation_not_found")
    assert await scene.state() == before


def frame_of(kind: str, names: set[str], ids: Ids) -> dict[str, Any]:
    return {"type": kind, "message": "Mine now", "token": "x"} | {
        name: value for name, value in vars(ids).items() if name in names
    }


async def heard(scene: Scene, path: str, frame: Mapping[str, Any]) -> dict[str, Any]:
    """Say one frame on a socket of its own, and give the first answer, without the ids that were sent."""
    async with connect(scene.url.replace("http", "ws", 1) + path, additional_headers=scene.stranger) as socket:
        await socket.send(json.dumps(frame))
        said = str(await socket.recv())
    for name in ("conversation_id", "turn_id", "user_id"):
        if name in frame:
            said = said.replace(frame[name], name)
    told: dict[str, Any] = json.loads(said)
    return told
