"""The mock does what its faults say: a fault that does nothing would make a test that cannot fail."""

import http.client
import json
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.mock_openrouter.fixture import Mock, mock_openrouter, mock_openrouter_process
from tests.support.mock_openrouter.script import text_of

__all__ = ["mock_openrouter", "mock_openrouter_process"]


def post(mock: Mock, model: str, *, stream: bool = True, path: str = "/api/v1", **more: Any) -> tuple[Any, bytes]:
    body = json.dumps({"model": model, "stream": stream, "messages": [], **more})
    with closing(http.client.HTTPConnection(urlsplit(mock.url).netloc, timeout=60)) as connection:
        connection.request("POST", f"{path}/chat/completions", body, {"content-type": "application/json"})
        response = connection.getresponse()
        return response, response.read()


def events(body: bytes) -> list[Any]:
    return [json.loads(line[6:]) for line in body.replace(b"\r\n", b"\n").split(b"\n") if line[:7] == b"data: {"]


def text(body: bytes) -> str:
    return "".join(choice["delta"]["content"] for event in events(body) for choice in event["choices"])


@pytest.mark.parametrize("way", ["d0", "d1", "bytes", "xsplit", "xstall-s0", "xplain"])
def test_a_stream_is_whole_however_it_is_sent(mock_openrouter: Mock, way: str) -> None:
    _, body = post(mock_openrouter, f"mock/n20-{way}")

    assert text(body) == text_of(20)
    assert events(body)[-1]["usage"]["completion_tokens"] == 20
    assert body.rstrip().endswith(b"data: [DONE]")


def test_a_whole_reply_is_one_object(mock_openrouter: Mock) -> None:
    _, body = post(mock_openrouter, "mock/j20", stream=False)

    assert json.loads(body)["choices"][0]["message"]["content"] == text_of(20)


@pytest.mark.parametrize(
    ("model", "status", "retry_after"),
    [("mock/x429", 429, "1"), ("mock/x429-r7", 429, "7"), ("mock/x500", 500, None), ("mock/x502", 502, None)],
)
@pytest.mark.parametrize("stream", [True, False])
def test_a_status_is_given(
    mock_openrouter: Mock, model: str, status: int, retry_after: str | None, stream: bool
) -> None:
    response, _ = post(mock_openrouter, model, stream=stream)

    assert (response.status, response.headers["retry-after"]) == (status, retry_after)


def test_only_the_first_requests_fail_if_so_asked(mock_openrouter: Mock) -> None:
    assert [post(mock_openrouter, "mock/x429-k2")[0].status for _ in range(3)] == [429, 429, 200]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", ["cut", "reset", "gone"])
def test_a_connection_is_cut(mock_openrouter: Mock, fault: str, stream: bool) -> None:
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        post(mock_openrouter, f"mock/n20-x{fault}", stream=stream)


@pytest.mark.parametrize("fault", ["err", "errempty", "errbare", "errstr", "errfinish"])
def test_an_error_stands_amid_a_stream(mock_openrouter: Mock, fault: str) -> None:
    _, body = post(mock_openrouter, f"mock/n20-x{fault}")

    assert text_of(20).startswith(text(body.rpartition(b"data: {")[0]))
    last = events(body)[-1]
    assert "error" in last or last["choices"][0]["finish_reason"] == "error"


def test_the_last_words_come_back(mock_openrouter: Mock) -> None:
    messages = [{"role": "user", "content": "你好\u2028🌸"}]
    _, body = post(mock_openrouter, "mock/echo", messages=messages)

    assert text(body) == "你好\u2028🌸"


def test_a_prompt_over_the_context_length_is_refused(mock_openrouter: Mock) -> None:
    long = [{"role": "user", "content": "word " * 600}]
    response, body = post(mock_openrouter, "mock/echo-c512", messages=long)

    assert response.status == 400
    assert json.loads(body)["error"]["metadata"]["error_type"] == "context_length_exceeded"


def test_openai_gives_usage_only_if_asked(mock_openrouter: Mock) -> None:
    _, without = post(mock_openrouter, "mock/n2", path="/v1")
    _, told = post(mock_openrouter, "mock/n2", path="/v1", stream_options={"include_usage": True})

    assert b'"usage"' not in without
    assert b'"usage"' in told


def test_a_stream_is_held_until_it_is_released(mock_openrouter: Mock) -> None:
    body = json.dumps({"model": "mock/n20-h3", "stream": True, "messages": []})
    with closing(http.client.HTTPConnection(urlsplit(mock_openrouter.url).netloc, timeout=60)) as connection:
        connection.request("POST", "/api/v1/chat/completions", body, {"content-type": "application/json"})
        response = connection.getresponse()
        first = b""
        while first.count(b"data: {") < 3:
            first += response.read1()
        assert text(first) == text_of(3)
        mock_openrouter.release()

        assert text(first + response.read()) == text_of(20)


def test_an_unknown_fault_is_told(mock_openrouter: Mock) -> None:
    response, body = post(mock_openrouter, "mock/xmisspelt")

    assert response.status == 422
    assert b"misspelt" in body


async def test_requests_are_kept_and_counted(mock_openrouter: Mock) -> None:
    post(mock_openrouter, "mock/n2", user="friend")
    await mock_openrouter.wait(requests=1, open=0)

    assert mock_openrouter.bodies() == [{"model": "mock/n2", "stream": True, "messages": [], "user": "friend"}]
    assert mock_openrouter.requests()[0]["headers"]["content-type"] == "application/json"
    assert mock_openrouter.stats()["streams"] == 1
