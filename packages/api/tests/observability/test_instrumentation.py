"""What /metrics and traces tell, and what they do not."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from idolchat_api.settings.api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

TOKEN = "canary-metrics-token"
TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"


@asynccontextmanager
async def client_of(llm: ScriptedProvider, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    plugins = [Parts(InMemoryStorage(), llm)]
    async with (
        serving(ApiSettings(plugins=(), **settings), plugins=plugins) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        yield client


async def ask(client: httpx.AsyncClient, text: str = "Hi", **headers: str) -> httpx.Response:
    return await client.post("/chat", json={"messages": [{"role": "user", "content": text}]}, headers=headers)


async def test_metrics_are_for_those_who_have_their_token(tmp_path: Any) -> None:
    async with client_of(ScriptedProvider(), data_dir=tmp_path, metrics_token=TOKEN) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            assert (await client.get("/metrics", headers=headers)).status_code == 401
        assert (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200


async def test_without_a_token_there_are_no_metrics(tmp_path: Any) -> None:
    async with client_of(ScriptedProvider(), data_dir=tmp_path) as client:
        assert (await client.get("/metrics")).status_code == 404


async def test_metrics_count_requests_turns_tokens_and_writes(tmp_path: Any) -> None:
    llm = ScriptedProvider("Hello you", "Again")
    async with client_of(llm, data_dir=tmp_path, metrics_token=TOKEN, budget_daily_tokens=1000) as client:
        for _ in range(2):
            await ask(client)
        await client.get("/nothing/here")
        text = (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).text
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    def value(name: str, **labels: str) -> float:
        return samples[(name, *sorted(labels.items()))]

    assert value("idolchat_turns_total", state="completed") == 2
    assert value("idolchat_http_requests_total", method="POST", route="/chat", status="200") == 2
    assert value("idolchat_http_requests_total", method="GET", route="none", status="404") == 1
    assert value("idolchat_time_to_first_token_seconds_count") == 2
    assert value("idolchat_storage_write_seconds_count") == 4
    spent = value("idolchat_tokens_total", direction="input") + value("idolchat_tokens_total", direction="output")
    assert value("idolchat_spent_tokens", window="day") == spent > 0
    assert value("idolchat_budget_remaining_ratio", budget="tokens-day") == pytest.approx(1 - spent / 1000)
    assert value("idolchat_turns_running") == 0
    assert value("process_resident_memory_bytes") > 1_000_000


async def test_a_trace_that_came_with_a_request_goes_on_to_the_provider(tmp_path: Any) -> None:
    llm = ScriptedProvider()
    async with client_of(llm, data_dir=tmp_path) as client:
        response = await ask(client, traceparent=TRACEPARENT)
        broken = await ask(client, traceparent="00-" + "0" * 32 + f"-{PARENT_ID}-01")

    assert response.headers["traceresponse"] == llm.requests[0].traceparent == TRACEPARENT
    assert "traceresponse" not in broken.headers
    assert llm.requests[1].traceparent is None


@pytest.fixture
def collector() -> Iterator[tuple[str, SimpleQueue[bytes]]]:
    """Receive traces as an OpenTelemetry collector does."""
    received: SimpleQueue[bytes] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


async def test_traces_tell_of_requests_and_calls_and_not_of_what_was_said(
    tmp_path: Any, collector: tuple[str, SimpleQueue[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, received = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    llm = ScriptedProvider("canary reply")
    async with client_of(llm, data_dir=tmp_path) as client:
        response = await ask(client, "canary message", traceparent=TRACEPARENT)
    raw = await asyncio.to_thread(received.get)
    told = ExportTraceServiceRequest.FromString(raw)
    spans = {span.name: span for group in told.resource_spans for scope in group.scope_spans for span in scope.spans}
    request, call = spans["POST /chat"], spans[f"chat {llm.default_model}"]
    facts = {pair.key: pair.value for pair in call.attributes}

    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert (call.trace_id, call.parent_span_id) == (request.trace_id, request.span_id)
    assert (
        llm.requests[0].traceparent == f"00-{TRACE_ID}-{request.span_id.hex()}-01" == response.headers["traceresponse"]
    )
    assert facts["gen_ai.operation.name"].string_value == "chat"
    assert facts["gen_ai.conversation.id"].string_value == response.json()["conversation_id"]
    assert facts["gen_ai.usage.output_tokens"].int_value == 2
    assert call.start_time_unix_nano < call.end_time_unix_nano
    assert b"canary" not in raw


@asynccontextmanager
async def said_over_a_socket(llm: ScriptedProvider, folder: Any, *frames: dict[str, Any]) -> AsyncIterator[list[Any]]:
    """Say messages, one after another, over a socket that came with a trace; give how each was answered."""
    plugins, ends = [Parts(InMemoryStorage(), llm)], []
    async with serving(ApiSettings(plugins=(), data_dir=folder), plugins=plugins) as url:
        address = url.replace("http", "ws", 1) + "/ws/chat"
        async with connect(address, additional_headers={"traceparent": TRACEPARENT}) as socket:
            for frame in frames:
                await socket.send(json.dumps({"type": "message", "message": "canary message", **frame}))
                while (end := json.loads(await socket.recv()))["type"] not in ("message", "error"):
                    pass
                ends.append(end)
        yield ends


async def test_a_trace_that_came_with_a_frame_goes_on_to_the_provider(tmp_path: Any) -> None:
    llm, others = ScriptedProvider(), f"00-{'a' * 32}-{'b' * 16}-00"
    frames = [{}, {"traceparent": others}, {"traceparent": "nonsense"}]
    async with said_over_a_socket(llm, tmp_path, *frames):
        assert [request.traceparent for request in llm.requests] == [TRACEPARENT, others, TRACEPARENT]


async def test_a_turn_over_a_socket_has_a_span_as_one_over_http(
    tmp_path: Any, collector: tuple[str, SimpleQueue[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, received = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    llm = ScriptedProvider("canary reply")
    async with said_over_a_socket(llm, tmp_path, {}, {"user_id": str(uuid4())}) as ends:
        assert ends[1]["code"] == "conversation_mismatch"
    raw = await asyncio.to_thread(received.get)
    told = ExportTraceServiceRequest.FromString(raw)
    spans = [span for group in told.resource_spans for scope in group.scope_spans for span in scope.spans]
    good, refused = [span for span in spans if span.name == "/ws/chat message"]
    call = next(span for span in spans if span.name == f"chat {llm.default_model}")

    assert (good.trace_id.hex(), good.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert (call.trace_id, call.parent_span_id) == (good.trace_id, good.span_id)
    assert llm.requests[0].traceparent == f"00-{TRACE_ID}-{good.span_id.hex()}-01"
    assert (refused.trace_id.hex(), refused.attributes[-1].value.string_value) == (TRACE_ID, "conversation_mismatch")
    assert good.start_time_unix_nano <= call.start_time_unix_nano < good.end_time_unix_nano
    assert b"canary" not in raw
