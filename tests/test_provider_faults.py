"""Whatever the provider does, the user's message is on disk, the end is told, and the next turn is right."""

import json
from functools import partial
from uuid import uuid4

import pytest

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer
from tests.support.talk import body, hear, say, socket, tell

IMPATIENCE = {
    "IDOLCHAT_OPENROUTER_FIRST_TOKEN_TIMEOUT_S": "3",
    "IDOLCHAT_OPENROUTER_TOKEN_TIMEOUT_S": "3",
    "IDOLCHAT_OPENROUTER_REPLY_TIMEOUT_S": "5",
}
"""Each is longer than a busy machine may take over what is no fault."""

FAULTS = {
    # fault: status of /chat, code, whether a part of the reply is kept when it streams
    "x429": (429, "rate_limited", False),
    "x500": (502, "provider_unavailable", False),
    "x502": (502, "provider_unavailable", False),
    "xerr": (502, "provider_unavailable", True),
    "xcut": (502, "reply_cut", True),
    "xstall": (504, "provider_timeout", True),
    "xbad": (502, "provider_unavailable", True),
    "xhang": (504, "provider_timeout", False),
    "x401": (502, "provider_not_authorized", False),
    "x402": (402, "payment_required", False),
    "x403": (502, "provider_not_authorized", False),
}


SILENCES = ("xstall", "xhang")


@pytest.fixture(scope="module")
def start(start_shared_server: StartServer, mock_openrouter_process: Mock) -> StartServer:
    return partial(
        start_shared_server,
        OPENROUTER_API_KEY="sk-or-v1-canary",
        OPENROUTER_BASE_URL=mock_openrouter_process.base_url,
        IDOLCHAT_OPENROUTER_RETRIES="0",
    )


@pytest.fixture(scope="module")
def shared_server(start: StartServer) -> Server:
    return start()


@pytest.fixture(scope="module")
def impatient_server(start: StartServer) -> Server:
    return start(**IMPATIENCE)


@pytest.fixture
def asked(fault: str, server: Server, impatient_server: Server) -> Server:
    """Return the server to ask for a fault: one that gives up soon where the fault is silence."""
    return impatient_server if fault in SILENCES else server


async def goes_on(server: Server, mock: Mock, conversation_id: str, *, kept: str) -> None:
    """Show that the conversation is usable: the next prompt has alternating roles, and no failed message."""
    await say("rest", server, "And now?", conversation_id=conversation_id, model="mock/echo")
    sent = [(message["role"], message["content"]) for message in mock.bodies()[-1]["messages"]]

    expected = [("user", "Hello"), ("assistant", kept)] if kept else []
    assert sent == [*expected, ("user", "And now?")]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_whole_reply_that_fails_is_a_status_and_leaves_the_message(
    asked: Server, mock_openrouter: Mock, fault: str
) -> None:
    status, code, _ = FAULTS[fault]
    conversation_id = str(uuid4())
    async with asked.client() as client:
        response = await client.post(
            "/chat", json=body("Hello", conversation_id=conversation_id, model=f"mock/{fault}-s60")
        )
    stored = asked.messages(conversation_id)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert stored[0]["content"] == "Hello"
    assert stored[1]["finish_reason"] in ("error", "incomplete")
    await goes_on(asked, mock_openrouter, conversation_id, kept=stored[1]["content"])


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_stream_that_fails_ends_with_one_error_and_done(
    asked: Server, mock_openrouter: Mock, fault: str
) -> None:
    _, code, is_partial = FAULTS[fault]
    conversation_id = str(uuid4())
    async with asked.client() as client:
        response = await client.post(
            "/chat/stream", json=body("Hello", conversation_id=conversation_id, model=f"mock/n8-{fault}-s60")
        )
    data = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: ")]
    chunks = [json.loads(item) for item in data[:-1]]
    stored = asked.messages(conversation_id)

    assert data[-1] == "[DONE]"
    assert [chunk["error"]["code"] for chunk in chunks if "error" in chunk] == [code]
    assert chunks[-1]["choices"][0]["finish_reason"] == "error"
    assert stored[1]["finish_reason"] == ("incomplete" if is_partial else "error")
    await goes_on(asked, mock_openrouter, conversation_id, kept=stored[1]["content"])


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_socket_hears_one_error_and_stays_open(asked: Server, mock_openrouter: Mock, fault: str) -> None:
    _, code, _ = FAULTS[fault]
    conversation_id = str(uuid4())
    async with socket(asked) as opened:
        await tell(
            opened, type="message", message="Hello", conversation_id=conversation_id, model=f"mock/n8-{fault}-s60"
        )
        while (said := await hear(opened))["type"] != "error":
            assert said["type"] in ("conversation_started", "turn_started", "delta")
        await tell(opened, type="ping")
        after = await hear(opened)

    assert said["code"] == code
    assert after["type"] == "pong"


async def test_bytes_split_anywhere_make_the_same_reply(server: Server) -> None:
    whole = await say("sse", server, "Hello", model="mock/n64-d0")
    split = await say("sse", server, "Hello", model="mock/n64-d0-xsplit")

    assert split.text == whole.text


async def test_headers_usage_and_cost_are_as_the_provider_documents(server: Server, mock_openrouter: Mock) -> None:
    heard = await say("rest", server, "Hello", model="mock/count", temperature=0.7, provider={"sort": "price"})
    request = mock_openrouter.requests()[-1]

    assert request["headers"]["authorization"] == "Bearer sk-or-v1-canary"
    assert json.loads(request["body"])["provider"] == {"sort": "price"}
    assert json.loads(request["body"])["temperature"] == 0.7
    assert heard.end["usage"]["prompt_tokens"] > 0
    assert "cost" in heard.end["usage"]


async def test_no_log_line_holds_a_key_or_a_message(server: Server) -> None:
    async with server.client() as client:
        await client.post("/chat", json=body("a secret of mine", model="mock/x500"))
        await client.post("/chat", json=body("a secret of mine", model="mock/echo"))
        await client.post("/chat", content=b'{"messages": "a secret of mine"')
    server.stop()
    log = server.log.read_text()

    assert log
    assert "canary" not in log
    assert "secret of mine" not in log
