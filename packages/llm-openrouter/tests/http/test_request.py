import pytest

from idolchat_llm_openrouter.http import RequestWriter


def requests(base_url: str = "http://server.example/v1") -> RequestWriter:
    return RequestWriter(base_url, {"User-Agent": "test"})


@pytest.mark.parametrize(
    ("base_url", "host", "target"),
    [
        ("http://server.example/v1", b"server.example", b"/v1/models"),
        ("http://Server.Example:80/v1", b"server.example", b"/v1/models"),
        ("https://server.example:443", b"server.example", b"/models"),
        ("https://server.example:80/v1", b"server.example:80", b"/v1/models"),
        ("http://[::1]:8000/v1", b"[::1]:8000", b"/v1/models"),
        ("http://bücher.example/v1", b"xn--bcher-kva.example", b"/v1/models"),
        ("http://server.example/a b/ü/%20", b"server.example", b"/a%20b/%C3%BC/%20/models"),
    ],
)
def test_where_a_request_goes_is_written_as_http_wants_it(base_url: str, host: bytes, target: bytes) -> None:
    assert requests(base_url).get("/models") == (
        b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\nUser-Agent: test\r\n\r\n"
    )


@pytest.mark.parametrize("traceparent", [None, "00-1-2-01"])
def test_a_post_tells_its_length(traceparent: str | None) -> None:
    head, _, body = requests().post("/say", b'{"a": 1}', traceparent=traceparent).partition(b"\r\n\r\n")

    assert body == b'{"a": 1}'
    assert b"\r\nContent-Length: 8" in head
    assert (b"\r\ntraceparent: 00-1-2-01" in head) is (traceparent is not None)


def test_a_trace_cannot_bring_headers_of_its_own() -> None:
    with pytest.raises(ValueError, match="one line"):
        requests().post("/say", b"{}", traceparent="00-1-2-01\r\nX-Evil: 1")
