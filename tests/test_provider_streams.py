"""What providers send that breaks other readers."""

import json
from uuid import uuid4

import pytest

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer
from tests.support.stream import streamed
from tests.support.talk import body, say


@pytest.mark.parametrize("fault", ["err", "errempty", "errbare", "errstr", "errfirst", "errfinish"])
async def test_an_error_in_the_stream_is_never_shown_as_success(server: Server, fault: str) -> None:
    """Scenario 27: with and without choices, a string or a number as code."""
    conversation_id = str(uuid4())
    request = body("Hi", model=f"mock/n8-x{fault}", conversation_id=conversation_id)
    async with streamed(server, json=request) as events:
        told = [event async for event in events]
    reply = server.messages(conversation_id)[1]

    assert told[-2].data["error"]["code"] in ("provider_unavailable", "provider_error")
    assert reply["finish_reason"] == ("error" if fault == "errfirst" else "incomplete")


@pytest.mark.parametrize("fault", ["eof", "cut", "nofinish", "gone", "empty"])
async def test_a_stream_that_just_ends_is_not_a_reply(server: Server, fault: str) -> None:
    """Scenarios 28 and 29: the end of a connection finishes nothing; every stream ends with one terminal event."""
    conversation_id = str(uuid4())
    request = body("Hi", model=f"mock/n8-x{fault}", conversation_id=conversation_id)
    async with streamed(server, json=request) as events:
        told = [event async for event in events]
    ends = [e for e in told if e.seq is not None and e.data["choices"] and e.data["choices"][0]["finish_reason"]]

    assert server.messages(conversation_id)[1]["finish_reason"] in ("incomplete", "error")
    assert [end.data["choices"][0]["finish_reason"] for end in ends] == ["error"]
    assert told[-1].data == "[DONE]"


async def test_a_prompt_found_too_long_is_shortened_and_sent_once_more(server: Server, mock_openrouter: Mock) -> None:
    """Scenario 26: the model reads less than anybody said; the turn works, and so does the next."""
    conversation_id, model = str(uuid4()), "mock/echo-c400"
    texts = [f"{number} " + "la " * 30 for number in range(12)]
    heard = [(await say("rest", server, text, conversation_id=conversation_id, model=model)).text for text in texts]

    assert heard == texts


async def test_a_message_that_can_never_fit_is_an_error_and_the_conversation_goes_on(server: Server) -> None:
    """Scenario 26."""
    conversation_id = str(uuid4())
    async with server.client() as client:
        response = await client.post(
            "/chat", json=body("la " * 40_000, model="mock/echo-c400", conversation_id=conversation_id)
        )
    heard = await say("rest", server, "Hi", model="mock/echo-c400", conversation_id=conversation_id)

    assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert heard.text == "Hi"


@pytest.mark.parametrize("transport", ["sse", "ws"])
async def test_text_of_many_scripts_comes_through_in_pieces_of_one_byte(server: Server, transport: str) -> None:
    """Scenario 35."""
    whole = await say("rest", server, "Hi", model="mock/n64-uni")
    pieces = await say(transport, server, "Hi", model="mock/n64-uni-bytes")

    assert "�" not in pieces.text
    assert any(ord(character) > 0xFFFF for character in pieces.text)
    assert whole.text


@pytest.mark.parametrize("transport", ["rest", "sse", "ws"])
async def test_separators_that_are_no_line_ends_come_through_in_and_out(server: Server, transport: str) -> None:
    """Scenario 36: U+0085, U+2028 and U+2029 inside a text end no line."""
    text = "one\u2028two\u2029three\u0085four 你好🌸"
    heard = await say(transport, server, text, model="mock/echo")

    assert heard.text == text


@pytest.mark.parametrize("fault", ["flood", "floodlines", "floodcomments", "flooderror"])
async def test_a_flood_is_cut_off_and_costs_bounded_memory(server: Server, fault: str) -> None:
    """A hundred megabytes without an end: the server's memory does not grow with them."""
    before = resident_bytes(server)
    async with server.client() as client:
        response = await client.post("/chat/stream", json=body("Hi", model=f"mock/n4-x{fault}"))

    assert '"finish_reason":"error"' in response.text
    assert resident_bytes(server) - before < 100_000_000


@pytest.mark.parametrize("fault", ["redirect", "html", *(f"wrong{n}" for n in range(0, 15, 3))])
async def test_answers_of_a_wrong_kind_are_the_providers_fault(server: Server, fault: str) -> None:
    """A redirect is not followed with our key, a page is no reply, and JSON of a wrong shape breaks nothing."""
    async with server.client() as client:
        response = await client.post("/chat", json=body("Hi", model=f"mock/x{fault}"))

    assert response.status_code == 502
    assert response.json()["error"]["code"].startswith(("provider", "reply", "request"))


def resident_bytes(server: Server) -> int:
    with open(f"/proc/{server.pid}/statm") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * 4096


@pytest.mark.files("counts what a turn reads and writes of files")
async def test_a_turn_of_a_long_conversation_reads_and_writes_no_more(server: Server, mock_openrouter: Mock) -> None:
    """Scenarios 6 and 7: besides its prompt, a turn at 10,000 messages moves the bytes of one at 1,000."""
    conversations = {length: str(uuid4()) for length in (1_000, 10_000)}
    costs = {}
    for length, conversation_id in conversations.items():
        put(server, conversation_id, length)
    for number in range(15):  # until the files are ours, the prompts full, and the model's tokens known
        for conversation_id in conversations.values():
            await say("rest", server, f"warm {number}", conversation_id=conversation_id, model="mock/count")
    for length, conversation_id in conversations.items():
        costs[length] = min([await moved_bytes(server, mock_openrouter, conversation_id) for _ in range(5)])
        async with server.client() as client:
            page = await client.get(f"/conversation/{conversation_id}", params={"limit": 10})
        assert len(page.json()["messages"]) == 10

    assert costs[10_000] < 1.1 * costs[1_000]


async def moved_bytes(server: Server, mock: Mock, conversation_id: str) -> int:
    """Count what a turn reads and writes besides its prompt; the index, saved now and then, may be among it."""
    before = io_bytes(server)
    await say("rest", server, "Hi", conversation_id=conversation_id, model="mock/count")
    return io_bytes(server) - before - len(mock.requests()[-1]["body"])


def put(server: Server, conversation_id: str, length: int) -> None:
    """Drop a conversation of the original service into the data folder."""
    now = "2024-05-01T10:00:00"
    messages = [
        {"role": "assistant" if n % 2 else "user", "content": f"{n} " + "la " * 40, "timestamp": now}
        for n in range(length)
    ]
    old = {"id": conversation_id, "created_at": now, "updated_at": now, "messages": messages}
    (server.data / "conversations" / f"{conversation_id}.json").write_text(json.dumps(old))


def io_bytes(server: Server) -> int:
    with open(f"/proc/{server.pid}/io") as io:  # noqa: PTH123
        told = dict(line.split(": ") for line in io.read().splitlines())
    return int(told["rchar"]) + int(told["wchar"])


async def test_memory_does_not_grow_with_the_number_of_streams(
    start_server: StartServer, mock_openrouter: Mock
) -> None:
    """Scenario 33: four hundred streams after a warm-up, none of them kept."""
    server = start_server(
        OPENROUTER_BASE_URL=mock_openrouter.base_url,
        OPENROUTER_API_KEY="k",
        IDOLCHAT_TURN_RETENTION_BYTES="0",
        IDOLCHAT_MEMORY_SEMANTIC="off",
    )
    conversation_ids = [str(uuid4()) for _ in range(40)]
    async with server.client() as client:

        async def stream(times: int) -> int:
            for number in range(times):
                request = body("Hi", model="mock/n64", conversation_id=conversation_ids[number % 40])
                assert (await client.post("/chat/stream", json=request)).text.endswith("data: [DONE]\n\n")
            return resident_bytes(server)

        warm = await stream(400)
        after = await stream(400)

    assert after - warm < 4_000_000
