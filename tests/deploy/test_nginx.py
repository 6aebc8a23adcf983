"""nginx as compose and the guide set it up, before real servers: streams, retries, and when there is none."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.testing import ScriptedProvider, SharedInMemoryStorage, reserve_port
from tests.support.pages import ROOT, blocks
from tests.support.raw_server import RawServer, answering, raw_server

GUIDE = "docs/how-to/many-servers.md"
CONFIGURATIONS = {
    "compose": (ROOT / "deploy" / "compose" / "nginx.conf").read_text(),
    "guide": blocks(GUIDE, "nginx")[0].text,
}
AROUND = """
daemon off; worker_processes 1; pid nginx.pid; error_log error.log warn;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
{configuration}
}}
"""
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 4\r\nRetry-After: 1\r\n\r\nbusy"


@asynccontextmanager
async def nginx(folder: Path, servers: Sequence[str], configuration: str) -> AsyncGenerator[httpx.AsyncClient]:
    """Run nginx before these servers, `host:port`, in the place of those that it names; yield a client of it."""
    port, given = reserve_port(), iter(servers)
    text = CONFIGURATIONS[configuration].replace("listen 80;", f"listen 127.0.0.1:{port};")
    text = re.sub(r"server [\w-]+:\d+", lambda _: f"server {next(given)}", text)
    (folder / "nginx.conf").write_text(AROUND.format(configuration=text))
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    assert program, "install nginx-light"
    running = await asyncio.create_subprocess_exec(program, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    try:
        await _listens(port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        running.terminate()
        await running.wait()


async def _listens(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


@asynccontextmanager
async def three_servers(folder: Path, provider: ScriptedProvider) -> AsyncGenerator[list[str]]:
    shared = SharedInMemoryStorage()
    async with AsyncExitStack() as stack:
        urls = []
        for number in range(3):
            settings = ApiSettings(data_dir=folder / str(number), plugins=())
            plugins = load_plugins(Parts(shared, provider, is_shared=True), installed=False)
            urls.append(await stack.enter_async_context(serving(settings, plugins=plugins)))
        yield [urlsplit(url).netloc for url in urls]


async def follow(client: httpx.AsyncClient, turn_id: str, begun: asyncio.Event) -> str:
    async with client.stream("GET", f"/turns/{turn_id}/stream") as said:
        text = ""
        async for chunk in said.aiter_text():
            text += chunk
            if "Once" in text:
                begun.set()
    return text


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
async def test_a_delta_goes_out_when_it_comes_and_any_server_tells_a_turn(tmp_path: Path, configuration: str) -> None:
    go_on, provider = asyncio.Event(), ScriptedProvider()
    provider.say(["Once ", go_on, "upon."])
    async with three_servers(tmp_path, provider) as servers, nginx(tmp_path, servers, configuration) as client:
        body = {"messages": [{"role": "user", "content": "Hi"}]}
        async with client.stream("POST", "/chat/stream", json=body) as said:
            chunks = said.aiter_text()
            seen = ""
            while "Once" not in seen:
                seen += await anext(chunks)
            turn_id = re.findall(r'"turn_id": ?"([0-9a-f-]{36})"', seen)[0]
            begun = [asyncio.Event() for _ in range(3)]
            followed = [asyncio.create_task(follow(client, turn_id, event)) for event in begun]
            for event in begun:
                await event.wait()
            go_on.set()
            async for chunk in chunks:
                seen += chunk
        replies = await asyncio.gather(*followed)

    assert len(set(replies)) == 1
    assert "upon" in replies[0]
    assert "upon" in seen


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
async def test_a_websocket_passes(tmp_path: Path, configuration: str) -> None:
    provider = ScriptedProvider(["Hello."])
    async with (
        three_servers(tmp_path, provider) as servers,
        nginx(tmp_path, servers, configuration) as client,
        connect(f"ws://{client.base_url.netloc.decode()}/ws/chat") as opened,
        asyncio.timeout(60),
    ):
        await opened.send(json.dumps({"type": "message", "message": "Hi"}))
        told = [json.loads(await opened.recv())["type"] for _ in range(3)]

    assert {"turn_started", "delta"} <= set(told)


@asynccontextmanager
async def one_that_is_busy_and_two_others() -> AsyncGenerator[tuple[RawServer, list[str]]]:
    well = answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
    async with raw_server(answering(BUSY)) as busy, raw_server(well) as one, raw_server(well) as other:
        yield busy, [f"127.0.0.1:{server.port}" for server in (busy, one, other)]


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
async def test_what_only_reads_is_asked_of_another_server_when_one_is_busy(tmp_path: Path, configuration: str) -> None:
    async with (
        one_that_is_busy_and_two_others() as (busy, servers),
        nginx(tmp_path, servers, configuration) as client,
    ):
        replies = [await client.get("/conversations") for _ in range(6)]

    assert busy.connections >= 1
    assert [reply.status_code for reply in replies] == [200] * 6


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
async def test_what_begins_a_turn_is_left_to_its_sender_to_repeat(tmp_path: Path, configuration: str) -> None:
    async with (
        one_that_is_busy_and_two_others() as (busy, servers),
        nginx(tmp_path, servers, configuration) as client,
    ):
        replies = [await client.post("/chat", json={}) for _ in range(3)]

    refused = [reply for reply in replies if reply.status_code == 503]
    assert len(refused) == busy.connections > 0
    assert (refused[0].text, refused[0].headers["Retry-After"]) == ("busy", "1")


async def test_without_a_server_the_answer_has_the_form_of_every_error(tmp_path: Path) -> None:
    nobody = [f"127.0.0.1:{reserve_port()}" for _ in range(3)]
    async with nginx(tmp_path, nobody, "compose") as client:
        reply = await client.post("/chat", json={})

    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1")
    assert reply.json()["error"]["code"] == "shutting_down"
