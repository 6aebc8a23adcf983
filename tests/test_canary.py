"""No key, token, prompt or message text leaves: not in logs, errors, metrics, traces or the ledger, at any level."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.collector import collecting
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.talk import body

SAID = "canary-said-by-the-user"
FAULTS = ("xleak", "x401", "x500", "xerr", "xcut", "xbad", "xjson", "xhtml")
SECRETS = {
    "OPENROUTER_API_KEY": "sk-or-v1-canary-provider-key",
    "SUPABASE_SERVICE_ROLE_KEY": "canary-service-role-key",
    "SYSTEM_PROMPT": "You are canary-system-prompt.",
    "IDOLCHAT_METRICS_TOKEN": "canary-metrics-token",
    "HTTP_REFERER": "https://canary-referer.example",
}


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    with collecting() as found:
        yield found


def make_key(server: Server) -> str:
    """Make a key before the server starts, as an operator does."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= server.environment
    command = [sys.executable, "-m", "idolchat_cli", "keys", "create", "--json"]
    done = subprocess.run(command, cwd=server.folder, env=environment, capture_output=True, text=True, check=True)
    key: str = json.loads(done.stdout)["key"]
    return key


async def test_nothing_secret_or_said_is_written_anywhere(
    tmp_path: Path, mock_openrouter: Mock, collector: tuple[str, list[bytes]]
) -> None:
    endpoint, traces = collector
    environment = SECRETS | {
        "OPENROUTER_BASE_URL": mock_openrouter.base_url,
        "IDOLCHAT_OPENROUTER_RETRIES": "0",
        "IDOLCHAT_OPENROUTER_TOKEN_TIMEOUT_S": "1",
        "IDOLCHAT_MODEL": "mock/echo",
        "IDOLCHAT_STORAGE": "local",
        "IDOLCHAT_AUTH": "api-key",
        "IDOLCHAT_API_LOG_LEVEL": "debug",
        "IDOLCHAT_API_LOG_FORMAT": "json",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
    }
    server = Server(tmp_path, environment)
    server.environment |= server.places
    key = make_key(server)
    with server:
        headers = {"Authorization": f"Bearer {key}"}
        answers = [answer async for answer in _everything(server, headers)]
        server.kill()
        server.start()
        async with httpx.AsyncClient(base_url=server.url) as client:
            metrics = await client.get("/metrics", headers={"Authorization": "Bearer canary-metrics-token"})
            answers.append((await client.get("/health", headers=headers)).text)
        server.stop()
    assert metrics.status_code == 200
    written = {
        "log": server.log.read_text(),
        "errors": "\n".join(answers),
        "metrics": metrics.text,
        "traces": b"".join(traces).decode("latin-1"),
        "ledger": b"\n".join(server.log_lines("spending")).decode(),
    }

    assert len(written["log"].splitlines()) > 20
    assert written["traces"]
    assert written["ledger"].count('"call"') > 5
    for place, text in written.items():
        for secret in ("canary", key):
            found = text.find(secret)
            assert found < 0, f"{place}: ...{text[max(0, found - 300) : found + 100]}..."


async def _everything(server: Server, headers: Mapping[str, str]) -> Any:
    """Go down good and bad paths, and give the bodies of errors; a good reply is the user's own."""
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60) as client:
        assert (await client.post("/chat", json=body(SAID))).status_code == 200
        assert (await client.post("/chat/stream", json=body(SAID))).status_code == 200
        for fault in FAULTS:
            yield (await client.post("/chat", json=body(SAID, model=f"mock/{fault}"))).text
        for broken in (
            {"content": f'{{"messages": [{{"role": "user", "content": "{SAID}'},
            {"json": {"messages": SAID}},
            {"json": {"messages": [{"role": SAID, "content": SAID}]}},
            {"json": body(SAID, temperature={"canary": SAID}, base_url=f"https://{SAID}")},
            {"json": body(SAID, conversation_id=SAID)},
            {"json": body(SAID), "headers": {"Idempotency-Key": f"{SAID},{SAID}"}},
            {"json": body(SAID), "headers": {"Authorization": f"Bearer {SAID}"}},
            {"json": body(SAID), "headers": {"Authorization": f"Basic {SAID}"}},
            {"json": body(SAID), "headers": {"traceparent": SAID, "X-Request-ID": f"{SAID} {SAID}"}},
        ):
            extra = {"content-type": "application/json"} | broken.pop("headers", {})  # type: ignore[operator]
            answer = await client.post("/chat", headers=extra, **broken)  # type: ignore[arg-type]
            if answer.status_code != 200:
                yield answer.text
        yield (await client.get(f"/conversation/{SAID}")).text
        yield (await client.get("/conversations", params={"user_id": SAID, "before": SAID})).text
        yield (await client.get(f"/nothing/{SAID}", params={"token": SAID})).text
    async with connect(server.ws_url, additional_headers=dict(headers)) as socket:
        for frame in (SAID, json.dumps({"type": SAID}), json.dumps({"type": "message", "conversation_id": SAID})):
            await socket.send(frame)
            yield await socket.recv()
        await socket.send(json.dumps({"type": "message", "message": SAID, "model": "mock/xcut"}))
        async with asyncio.timeout(60):
            while "error" not in (said := str(await socket.recv())):
                pass
        yield said
