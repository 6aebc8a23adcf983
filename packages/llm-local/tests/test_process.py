"""The model's process from outside: its sockets, its signals, its silence, its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import aclosing, suppress
from pathlib import Path

import psutil
import pytest

from idolchat_core import Finished
from idolchat_core.testing import asking, collect
from idolchat_llm_local import LocalProvider, LocalSettings, open_local_llm

ENDS_WITHIN_S = 60
ACCEPTING = 1 << 16  # __SO_ACCEPTCON in the kernel's include/linux/net.h

SCRIPT = """
import asyncio, signal, sys
from idolchat_core.testing import asking
from idolchat_llm_local import LocalSettings, open_local_llm

LONG = asking("Write a very long story about the sea.", max_tokens=900)

async def main(end):
    async with open_local_llm(LocalSettings(model=None, context_length=1024)) as provider:
        if end == "while loading":
            return
        if end == "SIGTERM":
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
        talking = provider.stream(LONG)
        await anext(talking)
        print("talking", flush=True)
        if end == "cancelled":
            await talking.aclose()
        if end.startswith("SIG"):
            async for _ in talking:
                pass

# Where a shell runs the tests in the background, SIGINT is ignored from the start.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    asyncio.run(main(sys.argv[1]))
except (KeyboardInterrupt, asyncio.CancelledError):
    print("interrupted", flush=True)
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def _listening(process: psutil.Process) -> list[str]:
    """List what a process accepts connections on: TCP, and Unix by the kernel's own table."""
    found = [f"{c.laddr.ip}:{c.laddr.port}" for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    sockets = set()
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            sockets.add(str(link.readlink()))
    for line in Path(f"/proc/{process.pid}/net/unix").read_text().splitlines()[1:]:
        _, _, _, flags, _, _, inode, *path = line.split()
        if int(flags, 16) & ACCEPTING and f"socket:[{inode}]" in sockets:
            found.append(path[0] if path else "unnamed")
    return found


ABANDONED = """
import asyncio
from idolchat_core.testing import asking
from idolchat_llm_local import LocalSettings, open_local_llm

async def main():
    global opened, reply
    opened = open_local_llm(LocalSettings(model=None, context_length=1024))
    provider = await opened.__aenter__()
    reply = provider.stream(asking("Write a very long story about the sea.", max_tokens=900))
    await anext(reply)

loop = asyncio.new_event_loop()
loop.run_until_complete(main())
"""


def _run(end: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-X", "dev", "-c", SCRIPT, end],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@linux_only
def test_a_listener_would_be_seen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "seen"))
        unix.listen()
        port = tcp.getsockname()[1]

        assert _listening(psutil.Process()) == [f"127.0.0.1:{port}", str(tmp_path / "seen")]


@linux_only
async def test_nothing_listens_while_the_model_answers(provider: LocalProvider, worker: psutil.Process) -> None:
    async with aclosing(provider.stream(asking("Tell me a story.", max_tokens=200))) as reply:
        await anext(reply)

        assert _listening(worker) == []
        assert _listening(psutil.Process()) == []
        assert worker.net_connections("inet") == []


async def test_no_folder_is_left_behind(
    settings: LocalSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with open_local_llm(settings) as provider:
        assert isinstance((await collect(provider, asking("Hi!", max_tokens=2)))[-1], Finished)

        assert os.listdir(tmp_path) == []  # noqa: PTH208 - a look, not a walk


async def test_signals_to_all_processes_let_a_reply_end(provider: LocalProvider, worker: psutil.Process) -> None:
    async with aclosing(provider.stream(asking("Tell me a story.", max_tokens=60))) as reply:
        await anext(reply)
        worker.send_signal(signal.SIGINT)
        worker.send_signal(signal.SIGTERM)
        pieces = [piece async for piece in reply]

    assert isinstance(pieces[-1], Finished)


@pytest.mark.parametrize("end", ["while loading", "talking", "cancelled"])
def test_the_interpreter_ends_at_once_and_in_silence(end: str) -> None:
    process = _run(end)
    said, complaints = process.communicate(timeout=60)

    assert (process.returncode, complaints) == (0, "")
    assert said in ("", "talking\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_amid_a_reply_ends_it_all(name: str) -> None:
    process = _run(name)
    assert process.stdout is not None
    assert process.stdout.readline() == "talking\n"
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.Signals[name])
    said, complaints = process.communicate(timeout=ENDS_WITHIN_S)

    assert (process.returncode, said, complaints) == (0, "interrupted\n", "")
    assert psutil.wait_procs(children, timeout=ENDS_WITHIN_S) == (children, [])


def test_the_interpreter_ends_though_nobody_closed_the_provider() -> None:
    process = subprocess.run([sys.executable, "-c", ABANDONED], capture_output=True, timeout=60, check=False)

    assert (process.returncode, process.stdout) == (0, b"")


def test_the_model_s_process_does_not_outlive_a_killed_parent() -> None:
    process = _run("SIGKILL")
    assert process.stdout is not None
    assert process.stdout.readline() == "talking\n"
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=ENDS_WITHIN_S)

    assert len(children) == 1
    assert psutil.wait_procs(children, timeout=ENDS_WITHIN_S) == (children, [])


async def test_llama_cpp_is_silent(provider: LocalProvider, capfd: pytest.CaptureFixture[str]) -> None:
    await collect(provider, asking("Hi!", max_tokens=4))

    assert capfd.readouterr() == ("", "")
