"""What holds on every route of the server holds on these: owners, limits, refused fields, whatever is sent."""

import json
from collections.abc import Generator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, given
from hypothesis import settings as how_often
from hypothesis import strategies as st

from idolchat_api import ApiSettings
from idolchat_api.testing import NewKey, Parts, serving
from idolchat_api_openai import plugin
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(["user", "assistant", "tool", "system", "function_call", "message", "item_reference", "aoi"])
NAMES = ["messages", "role", "content", "model", "stream", "input", "type", "tools", "tool_calls", "name", "id", "text"]
NAMES += ["conversation", "previous_response_id", "metadata", "n", "store", "tool_call_id", "call_id", "stream_options"]
INNER = st.dictionaries(st.sampled_from(NAMES), JSON | WORDS, max_size=5)
FIELDS = st.dictionaries(st.sampled_from(NAMES), JSON | WORDS | st.lists(INNER, max_size=3), max_size=6)
BODIES = JSON | FIELDS | FIELDS.map(lambda fields: {"model": "aoi", "input": "Hi", "messages": [], **fields})
HEADERS = st.binary(max_size=40).map(lambda value: bytes(c for c in value if c >= 0x20 and c != 0x7F).strip())
POSTS = ["/v1/chat/completions", "/v1/responses", "/v1/conversations"]
HINTS = ["Conversation", "User", "Generation", "Task", "Message", "Parent", "Store"]
examples = how_often(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Generator[httpx.Client]:
    """A client of a server in a thread of its own, for hypothesis calls its tests again and again without a loop."""
    directory = InMemoryDirectory()
    directory.add("aoi")
    parts = [Parts(InMemoryStorage(), ScriptedProvider(), directory), plugin]
    served = serving(ApiSettings(data_dir=tmp_path_factory.mktemp("fuzz"), plugins=()), plugins=parts)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(served) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def check(reply: httpx.Response) -> None:
    assert reply.status_code < 500, reply.text
    if reply.status_code >= 400:
        assert {"message", "type", "code", "request_id"} <= reply.json()["error"].keys()


@pytest.mark.parametrize("path", POSTS)
@examples
@given(body=BODIES)
def test_any_json_is_answered(fuzzed: httpx.Client, path: str, body: Any) -> None:
    content = json.dumps(body).encode("utf-8", "surrogatepass")

    check(fuzzed.post(path, content=content, headers={"Content-Type": "application/json"}))


@pytest.mark.parametrize("path", POSTS)
def test_an_integer_beyond_64_bits_is_answered_wherever_it_stands(fuzzed: httpx.Client, path: str) -> None:
    big = 2**70
    message = {"role": "user", "content": [{"type": "text", "text": "Hi", "n": big}]}
    said = {"model": "aoi", "messages": [message], "input": [message]}

    for body in (said | {"metadata": {"n": big}}, said | {"seed": big}, {"metadata": {"n": big}}):
        check(fuzzed.post(path, json=body))


@examples
@given(
    value=HEADERS, name=st.sampled_from(["Conversation", "User", "Generation", "Task", "Message", "Parent", "Store"])
)
def test_any_header_is_answered(fuzzed: httpx.Client, value: bytes, name: str) -> None:
    body = json.dumps({"model": "aoi", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    headers = [(f"X-Idolchat-{name}".encode(), value), (b"Content-Type", b"application/json")]

    check(fuzzed.post("/v1/chat/completions", content=body, headers=headers))


@examples
@given(name=st.text(min_size=1, max_size=50).filter(lambda text: text not in (".", "..")))
def test_any_id_is_answered(fuzzed: httpx.Client, name: str) -> None:
    for kind in ("responses", "conversations", "models"):
        quoted = httpx.QueryParams({"x": name.encode("utf-8", "replace")})
        check(fuzzed.get(f"/v1/{kind}/{str(quoted)[2:]}"))


HELLO = {"role": "user", "content": "Hi"}
INSIDE = {"type": "image_url", "image_url": {"url": "http://10.0.0.1/"}}


class TestUsers:
    """A server with a login."""

    @pytest.fixture
    def settings(self, settings: ApiSettings) -> ApiSettings:
        return settings.model_copy(update={"auth": "api-key", "max_body_bytes": 4096, "docs": "on"})

    async def test_every_route_with_an_id_hides_what_is_anothers(
        self, client: httpx.AsyncClient, new_key: NewKey
    ) -> None:
        ana, ben = await new_key(user_id=uuid4()), await new_key(user_id=uuid4())
        begun = (await client.post("/v1/responses", json={"model": "aoi", "input": "Mine"}, headers=ana)).json()
        hers = {"response_id": begun["id"], "conversation": begun["conversation"]["id"]}
        unknown = {"response_id": f"resp_{uuid4().hex}", "conversation": f"conv_{uuid4().hex}"}
        described = (await client.get("/openapi.json")).json()["paths"]
        found = [(method, path) for path, by in described.items() if path.startswith("/v1/") for method in by]
        routes = [(method, path) for method, path in found if "{" in path and "{model" not in path]
        assert len(routes) == 6

        for method, path in routes:
            replies = []
            for ids in (hers, unknown):
                named = path.format(**ids)
                reply = await client.request(method, named, headers=ben)
                error = reply.json()["error"]
                texts = error["message"].replace(named.split("/")[3], "<id>")
                replies.append((reply.status_code, error["code"], error["type"], texts))
            assert replies[0] == replies[1], path
            assert replies[0][0] == 404
        assert (await client.get(f"/v1/responses/{hers['response_id']}", headers=ana)).status_code == 200

    async def test_every_route_asks_for_a_token(self, client: httpx.AsyncClient) -> None:
        described = (await client.get("/openapi.json")).json()["paths"]
        for path, by in described.items():
            if path.startswith("/v1") or path in ("/chat/completions", "/responses"):
                for method in by:
                    assert (await client.request(method, path.replace("{model}", "aoi"))).status_code == 401

    async def test_a_body_has_its_limit(self, client: httpx.AsyncClient, new_key: NewKey) -> None:
        key = await new_key(user_id=uuid4())
        body = {"model": "aoi", "messages": [{"role": "user", "content": "x" * 5000}]}

        assert (await client.post("/v1/chat/completions", json=body, headers=key)).status_code == 413

    @pytest.mark.parametrize(
        "fields",
        [
            {"api_base": "http://elsewhere"},
            {"extra_headers": {}},
            {"plugins": [{"id": "web"}]},
            {"provider": {"order": ["x"]}},
            {"tools": [{"type": "web_search"}]},
            {
                "model": "aoi+system",
                "messages": [{"role": "system", "content": "Obey"}, {"role": "user", "content": "Hi"}],
            },
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://10.0.0.1/"}}]}
                ]
            },
        ],
    )
    async def test_what_users_may_not_ask_for_is_refused(
        self, client: httpx.AsyncClient, new_key: NewKey, provider: ScriptedProvider, fields: dict[str, Any]
    ) -> None:
        key = await new_key(user_id=uuid4())
        body = {"model": "aoi", "messages": [{"role": "user", "content": "Hi"}], **fields}

        for headers in ({}, {"X-Idolchat-Store": "none"}):
            answer = await client.post("/v1/chat/completions", json=body, headers={**key, **headers})

            assert answer.status_code == 400, answer.text
            assert not provider.requests

    async def test_users_have_no_raw_models(self, client: httpx.AsyncClient, new_key: NewKey) -> None:
        key = await new_key(user_id=uuid4())
        body = {"model": "raw/scripted/model", "messages": [{"role": "user", "content": "Hi"}]}

        assert (await client.post("/v1/chat/completions", json=body, headers=key)).status_code == 404
        assert [one["id"] for one in (await client.get("/v1/models", headers=key)).json()["data"]] == ["aoi"]

    async def test_no_text_and_no_secret_is_logged(
        self, client: httpx.AsyncClient, new_key: NewKey, caplog: pytest.LogCaptureFixture
    ) -> None:
        key = await new_key(user_id=uuid4())
        caplog.set_level("DEBUG")
        body = {"model": "aoi", "messages": [{"role": "user", "content": "my canary sings"}]}
        await client.post("/v1/chat/completions", json=body, headers={**key, "X-Idolchat-Conversation": "canary-id"})

        logged = "".join(
            f"{record.getMessage()} {record.__dict__}" for record in caplog.records if "idolchat" in record.name
        )
        assert "canary" not in logged
        assert key["Authorization"][-20:] not in logged
