"""A server process, from its start to its end."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

PROGRAM = Path(__file__).parent / "program.py"
BODY = {"messages": [{"role": "user", "content": "Hi"}]}


@dataclass
class ServerProcess:
    process: asyncio.subprocess.Process
    url: str

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def end(self) -> tuple[int, str]:
        """Wait for its end; gives the exit status and the log."""
        async with asyncio.timeout(60):
            _, log = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, log.decode()


async def spawn(*arguments: str, folder: Path, **env: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env={**os.environ, "IDOLCHAT_PORT": "0", "IDOLCHAT_DATA_DIR": str(folder / "data"), **env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_DFL),  # these tests may run under nohup
    )


async def refused(*arguments: str, folder: Path, **env: str) -> tuple[int | None, str]:
    """Start one that does not start; gives its exit status and what it said."""
    process = await spawn(*arguments, folder=folder, **env)
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    return process.returncode, said.decode()


@asynccontextmanager
async def started(folder: Path, *arguments: str, **env: str) -> AsyncGenerator[ServerProcess]:
    process = await spawn(str(PROGRAM), *arguments, folder=folder, **env)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        said = (await process.stdout.readline()).decode().split()
    try:
        yield ServerProcess(process, said[1])
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def streaming(url: str) -> AsyncGenerator[tuple[httpx.AsyncClient, AsyncGenerator[str]]]:
    """Open a stream and read its first delta; gives the rest of its text."""
    async with (
        httpx.AsyncClient(base_url=url, timeout=60) as client,
        client.stream("POST", "/chat/stream", json=BODY) as response,
    ):
        rest = response.aiter_text()
        text = ""
        while "one " not in text:
            text += await anext(rest)

        async def all_of_it() -> AsyncGenerator[str]:
            yield text
            async for piece in rest:
                yield piece

        yield client, all_of_it()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_running_turn_is_finished_before_the_server_ends(tmp_path: Path, number: signal.Signals) -> None:
    async with started(tmp_path) as server, streaming(server.url) as (client, stream):
        server.process.send_signal(number)
        while (readiness := await client.get("/readyz")).status_code == 200:
            pass
        refused = await client.post("/chat", json=BODY)
        server.go_on()
        text = "".join([piece async for piece in stream])
        status, _ = await server.end()

    assert readiness.json()["status"] == "stopping"
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "shutting_down")
    assert '"content":"two"' in text
    assert text.endswith("data: [DONE]\n\n")
    assert status == 0


async def test_a_terminal_that_hangs_up_twice_is_waited_for(tmp_path: Path) -> None:
    async with started(tmp_path) as server, streaming(server.url) as (client, stream):
        server.process.send_signal(signal.SIGHUP)
        while (await client.get("/readyz")).status_code == 200:
            pass
        server.process.send_signal(signal.SIGHUP)
        server.go_on()
        text = "".join([piece async for piece in stream])
        status, _ = await server.end()

    assert text.endswith("data: [DONE]\n\n")
    assert '"finish_reason":"stop"' in text
    assert status == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_turn_that_takes_too_long_ends_as_incomplete(tmp_path: Path, number: signal.Signals) -> None:
    async with (
        started(tmp_path, IDOLCHAT_SHUTDOWN_GRACE_S="0.2") as server,
        streaming(server.url) as (_, stream),
    ):
        server.process.send_signal(number)
        text = "".join([piece async for piece in stream])
        server.go_on()  # its thread waits for a line still
        status, _ = await server.end()

    assert '"state":"incomplete","error":{' in text
    assert '"code":"shutting_down"' in text
    assert text.endswith("data: [DONE]\n\n")
    assert status == 0


async def test_sockets_are_told_the_end_and_closed(tmp_path: Path) -> None:
    async with (
        started(tmp_path, IDOLCHAT_SHUTDOWN_GRACE_S="0.2") as server,
        connect(server.url.replace("http", "ws") + "/ws/chat") as talk,
    ):
        await talk.send('{"type": "message", "message": "Hi"}')
        await talk.recv()
        await talk.recv()
        server.process.send_signal(signal.SIGTERM)
        ended = json.loads(await talk.recv())
        with pytest.raises(ConnectionClosed) as closed:
            await talk.recv()
        server.go_on()
        status, _ = await server.end()

    assert (ended["type"], ended["code"], ended["state"]) == ("error", "shutting_down", "incomplete")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert status == 0


async def test_the_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    async with (
        started(tmp_path, IDOLCHAT_SHUTDOWN_GRACE_S="600") as server,
        streaming(server.url) as (client, stream),
    ):
        server.process.send_signal(signal.SIGINT)
        while (await client.get("/readyz")).status_code == 200:
            pass
        server.process.send_signal(signal.SIGINT)
        text = "".join([piece async for piece in stream])
        server.go_on()
        status, log = await server.end()

    assert status == 0
    assert '"state":"incomplete"' in text
    assert text.endswith("data: [DONE]\n\n")
    assert "File" not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("arguments", [[], ["never-open"]], ids=["as it starts", "while it opens"])
async def test_a_signal_at_any_time_is_a_clean_end(
    tmp_path: Path, number: signal.Signals, arguments: list[str]
) -> None:
    async with started(tmp_path, *arguments, PYTHONWARNINGS="error") as server:
        server.process.send_signal(number)
        status, log = await server.end()

    assert status == 0
    assert "Traceback" not in log
    assert "Warning" not in log


async def test_a_second_server_on_a_data_folder_is_refused(tmp_path: Path) -> None:
    """Scenario 42: refused at the start, with the number of the process that holds the folder."""
    async with started(tmp_path) as server:
        status, said = await refused(str(PROGRAM), folder=tmp_path)

        assert status == 1
        assert f"in use by another idolchat server, process {server.process.pid}" in said
        assert "IDOLCHAT_DATA_DIR" in said


async def test_a_data_folder_is_free_again_after_a_kill(tmp_path: Path) -> None:
    async with started(tmp_path) as first:
        first.process.kill()
        await first.end()

    async with started(tmp_path) as second:
        assert second.url.startswith("http://127.0.0.1:")


async def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        status, said = await refused("-m", "idolchat_api", folder=tmp_path, IDOLCHAT_PORT=str(port))

    assert status == 1
    assert f"idolchat: IDOLCHAT_PORT: cannot listen on 127.0.0.1 port {port}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("IDOLCHAT_HOST", "no.such.host.invalid", "is no address of this machine"),
        ("IDOLCHAT_HOST", "192.0.2.1", "cannot listen on 192.0.2.1"),
        ("IDOLCHAT_ALLOW_OPEN", "aloud", "IDOLCHAT_ALLOW_OPEN is 'aloud'"),
        ("IDOLCHAT_AUTH", "ldap", "IDOLCHAT_AUTH names 'ldap'; installed: none, api-key"),
        ("WEB_CONCURRENCY", "4", "served by one alone, for turns, their queues and their streams live in its memory"),
        ("IDOLCHAT_DATA_DIR", "/dev/null/data", "IDOLCHAT_DATA_DIR: the folder /dev/null/data cannot be written"),
        ("IDOLCHAT_LLM", "nobody", "IDOLCHAT_LLM names 'nobody'; installed: local"),
    ],
)
async def test_what_cannot_be_is_told_in_a_line(tmp_path: Path, variable: str, value: str, said: str) -> None:
    status, log = await refused(str(PROGRAM), folder=tmp_path, **{"IDOLCHAT_ALLOW_OPEN": "1", variable: value})

    assert status == 1
    assert said in log
    assert "Traceback" not in log


async def test_an_open_address_is_refused_unless_one_means_it(tmp_path: Path) -> None:
    """127.1 is this machine too, but does not look so."""
    status, said = await refused(str(PROGRAM), folder=tmp_path, IDOLCHAT_HOST="127.1")
    async with started(tmp_path, IDOLCHAT_HOST="127.1", IDOLCHAT_ALLOW_OPEN="1") as server:
        server.process.send_signal(signal.SIGTERM)
        _, log = await server.end()

    assert (status, "IDOLCHAT_ALLOW_OPEN=1" in said) == (1, True)
    assert "without a login" in log


async def test_the_log_is_json_when_asked(tmp_path: Path) -> None:
    async with started(tmp_path, IDOLCHAT_API_LOG_FORMAT="json") as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            reply = await client.get("/nope?a=secret", headers={"X-Request-ID": "mine"})
        server.process.send_signal(signal.SIGTERM)
        _, log = await server.end()

    lines: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    request = next(line for line in lines if line["message"] == "request")
    assert reply.status_code == 404
    assert (request["request_id"], request["status"], request["route"], request["method"]) == ("mine", 404, None, "GET")
    assert request["level"] == "info"
    assert "secret" not in log


async def test_a_quiet_log_level_says_nothing(tmp_path: Path) -> None:
    async with started(tmp_path, IDOLCHAT_API_LOG_LEVEL="warning") as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            await client.get("/livez")
        server.process.send_signal(signal.SIGTERM)
        status, log = await server.end()

    assert (status, log) == (0, "")
