"""Whatever is sent, the server answers with a 4xx that says why, and lives (scenario 44)."""

import asyncio
import json
from collections.abc import Generator
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["messages", "role", "content", "model", "stream", "conversation_id", "user_id", "on_busy", "n", "head", "type"]
)
BODIES = JSON | st.dictionaries(FIELDS, JSON | st.lists(st.dictionaries(FIELDS, JSON, max_size=4), max_size=2))
ID = "00000000-0000-4000-8000-000000000000"
ROUTES = [
    ("POST", "/chat"),
    ("POST", "/chat/stream"),
    ("POST", f"/turns/{ID}/retry"),
    ("POST", f"/conversation/{ID}/regenerate"),
    ("POST", f"/conversation/{ID}/fork"),
    ("POST", f"/conversation/{ID}/messages/x/edit"),
    ("POST", f"/conversation/{ID}/messages/x/continue"),
    ("POST", f"/conversation/{ID}/messages/x/rewrite"),
    ("PATCH", f"/conversation/{ID}"),
]
FRAME_FIELDS = [
    "message",
    "token",
    "user_id",
    "conversation_id",
    "turn_id",
    "after_seq",
    "options",
    "client_message_id",
    "model",
]
FRAMES = st.dictionaries(st.sampled_from(FRAME_FIELDS), JSON)
QUERY_FIELDS = ["limit", "before", "after", "user_id", "character_id"]
QUERIES = st.dictionaries(st.sampled_from(QUERY_FIELDS), st.text(max_size=20))
HEADERS = st.binary(max_size=40).map(lambda value: bytes(c for c in value if c >= 0x20 and c != 0x7F).strip())
examples = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def portal() -> Generator[BlockingPortal]:
    """A loop in a thread of its own, for hypothesis calls its tests again and again without one."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def url(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    plugins = load_plugins(Parts(InMemoryStorage(), ScriptedProvider()), installed=False)
    served = serving(ApiSettings(data_dir=tmp_path_factory.mktemp("fuzz")), plugins=plugins)
    with portal.wrap_async_context_manager(served) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Generator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


def check(reply: httpx.Response, client: httpx.Client) -> None:
    assert reply.status_code < 500, reply.text
    if reply.status_code >= 400:
        assert {"message", "type", "code", "request_id"} <= reply.json()["error"].keys()
    assert client.get("/livez").status_code == 200


@pytest.mark.parametrize(("method", "path"), ROUTES)
@examples
@given(body=BODIES)
def test_any_json_is_answered(client: httpx.Client, method: str, path: str, body: Any) -> None:
    content = json.dumps(body).encode("utf-8", "surrogatepass")

    reply = client.request(method, path, content=content, headers={"Content-Type": "application/json"})

    check(reply, client)


@pytest.mark.parametrize(("method", "path"), ROUTES)
@examples
@given(content=st.binary(max_size=60))
def test_any_bytes_are_answered(client: httpx.Client, method: str, path: str, content: bytes) -> None:
    reply = client.request(method, path, content=content, headers={"Content-Type": "application/json"})

    check(reply, client)


@examples
@given(query=QUERIES)
@pytest.mark.parametrize("path", ["/conversations", f"/conversation/{ID}", f"/turns/{ID}/stream", "/models"])
def test_any_query_is_answered(client: httpx.Client, path: str, query: dict[str, str]) -> None:
    check(client.get(path, params={name: value.encode("utf-8", "replace") for name, value in query.items()}), client)


@examples
@given(key=HEADERS, last=HEADERS)
def test_any_header_is_answered(client: httpx.Client, key: bytes, last: bytes) -> None:
    headers = [(b"Idempotency-Key", key), (b"Last-Event-ID", last), (b"Content-Type", b"application/json")]

    for reply in (
        client.post("/chat", content=b"{}", headers=headers),
        client.get(f"/turns/{ID}/stream", headers=headers),
    ):
        assert 400 <= reply.status_code < 500


@examples
@given(
    kind=st.sampled_from(["auth", "message", "continue", "resume", "cancel", "start_conversation"])
    | st.text(max_size=5),
    frame=FRAMES,
    raw=st.text(max_size=40) | st.binary(max_size=40),
)
def test_any_frame_is_answered(
    portal: BlockingPortal, url: str, kind: str, frame: dict[str, Any], raw: str | bytes
) -> None:
    unread = raw.encode("utf-8", "replace").decode() if isinstance(raw, str) else raw
    answers = portal.call(answers_to, url, [json.dumps({**frame, "type": kind}), unread, '{"type": "ping"}'])

    assert "internal_error" not in [answer.get("code") for answer in answers]


async def answers_to(url: str, frames: list[str | bytes]) -> list[dict[str, Any]]:
    """Send frames on a connection of their own, a ping last; return what is answered until it is."""
    answers: list[dict[str, Any]] = []
    async with asyncio.timeout(60), connect(url.replace("http", "ws", 1) + "/ws/chat") as socket:
        for frame in frames:
            await socket.send(frame)
        while "pong" not in [answer["type"] for answer in answers]:
            answers.append(json.loads(await socket.recv()))
    return answers
