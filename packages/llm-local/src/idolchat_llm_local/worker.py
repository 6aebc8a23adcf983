"""The process that holds the model: llama.cpp, asked over standard input and answering over standard output.

It is run as a script, so that it starts in a moment: it imports the standard library and xllamacpp alone.

Its one argument is ``WorkerConfig`` as JSON. Every line in either direction is a number, a space and JSON or nothing:

- to it: ``7 {...}`` asks for reply 7, with the body of an OpenAI chat completions request; ``7 `` stops that reply;
- from it: ``0 {...}`` tells how loading went, first of all; ``7 {...}`` is a chunk of reply 7, with ``error`` in it
  where it failed; ``7 `` says that there is no more of it.

It holds nothing worth saving: it is killed when it is no longer wanted, and ends itself when its input does.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

SOCKET = "llama.sock"
LOG = "llama.log"
LOG_PATIENCE_S = 1.0
ERRORS_ONLY = 1
CPU_BATCH_TOKENS = 32
LIBRARY_ENVIRONMENT = {
    "GGML_NO_BACKTRACE": "1",  # a failed assertion would start a debugger
    # Threads that wait for each other give up their core sooner: where all cores are busy, ten times as fast.
    "GOMP_SPINCOUNT": "300",
}
WHAT_NATIVE_CODE_RAISES = (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)


class WorkerConfig(TypedDict):
    """What to load, and what it may take; the fields of ``LocalSettings``, decided."""

    path: str
    context_length: int
    parallel: int
    threads: int
    gpu_layers: int | None
    cache_mib: int


class Replies:
    """Standard output, taken away from everybody else in the process, and a line at a time."""

    def __init__(self) -> None:
        self._output = os.fdopen(os.dup(1), "wb")
        self._lock = threading.Lock()
        os.dup2(2, 1)

    def send(self, number: int, payload: bytes = b"") -> None:
        """Write a line."""
        with self._lock:
            self._output.write(b"%d %b\n" % (number, payload))
            self._output.flush()


def main() -> None:
    """Load the model, say how that went, and answer until the input ends."""
    _leave_signals_to_the_parent()
    replies = Replies()
    server, facts = _loaded(json.loads(sys.argv[1]))
    replies.send(0, json.dumps(facts).encode())
    if server is not None:
        _leave_signals_to_the_parent()  # some versions of the library take SIGINT and SIGTERM when they load
        _answer(server, replies, sys.stdin.buffer)
    # Not sys.exit, which would wait for native threads amid their work.
    os._exit(0)


def _leave_signals_to_the_parent() -> None:
    # A Ctrl-C or a service manager's SIGTERM goes to every process; the parent lets running replies end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _loaded(config: WorkerConfig) -> tuple[Any, dict[str, Any]]:
    with Path(LOG).open("w+b") as log:
        os.dup2(log.fileno(), 2)
        try:
            return _load(config)
        except (ImportError, AttributeError, *WHAT_NATIVE_CODE_RAISES) as error:
            return None, {"error": _first_line(Path(LOG)) or f"{type(error).__name__}: {error}"}
        finally:
            # From here on llama.cpp could only log what users say.
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            _leave(Path.cwd())


def _leave(folder: Path) -> None:
    (folder / LOG).unlink()
    (folder / SOCKET).unlink(missing_ok=True)
    os.chdir(folder.anchor)
    folder.rmdir()


def _first_line(log: Path) -> str:
    # A thread of llama.cpp's own writes the log, which may come after the error.
    gives_up_at = time.monotonic() + LOG_PATIENCE_S
    while "\n" not in (text := log.read_text(errors="replace")) and time.monotonic() < gives_up_at:
        time.sleep(0.01)
    # "0.00.025.398 E llama_model_load: error loading model: ..."
    line, *_ = text.splitlines() or [""]
    return line.partition(" E ")[2] or line


def _load(config: WorkerConfig) -> tuple[Any, dict[str, Any]]:
    for name, value in LIBRARY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # Here, so that a library that is missing or unfit is told like any other failure to load.
    import xllamacpp  # type: ignore[import-untyped]  # noqa: PLC0415

    key = secrets.token_urlsafe(32)
    server = xllamacpp.Server(_params(xllamacpp, config, key))
    facts = _facts(key)
    _close_listeners()
    return server, facts


def _params(xllamacpp: Any, config: WorkerConfig, key: str) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = config["path"]
    params.n_ctx = config["context_length"] * config["parallel"]
    params.n_parallel = config["parallel"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config["threads"]
    params.cache_ram_mib = config["cache_mib"]
    params.verbosity = ERRORS_ONLY
    params.hostnames = [SOCKET]
    params.api_keys = [key]
    params.n_threads_http = 1
    params.ui = params.endpoint_slots = False
    _share_with_gpu(xllamacpp, params, config["gpu_layers"])
    return params


def _share_with_gpu(xllamacpp: Any, params: Any, gpu_layers: int | None) -> None:
    cpu = xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    has_gpu = any(device["type"] != cpu for device in xllamacpp.get_device_info())
    # Measuring what fits a GPU's memory takes as long as loading, and without one there is nothing to fit.
    params.fit_params = has_gpu and gpu_layers is None
    if gpu_layers is not None:
        params.n_gpu_layers = gpu_layers
    if not has_gpu:
        # A reply can be stopped between two batches of its prompt; on a CPU large ones are hardly faster.
        params.n_batch = params.n_ubatch = CPU_BATCH_TOKENS


class _UnixConnection(HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def _facts(key: str) -> dict[str, Any]:
    """Ask what the library tells over HTTP alone, of its Unix socket in our private folder."""
    connection = _UnixConnection("localhost", timeout=10)
    connection.request("GET", "/props", headers={"Authorization": f"Bearer {key}"})
    props = json.load(connection.getresponse())
    connection.close()
    return {
        "context_length": props["default_generation_settings"]["n_ctx"],
        "knows_tools": props["chat_template_caps"]["supports_tools"],
    }


def _close_listeners() -> None:
    """End the library's HTTP server: shut down what it accepts on, and it closes that and leaves its loop."""
    for link in list(Path("/dev/fd").iterdir()):
        try:
            listener = socket.socket(fileno=int(link.name))
        except OSError:
            continue  # not a socket, or the listing itself
        if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            listener.shutdown(socket.SHUT_RDWR)
        listener.detach()


def _answer(server: Any, replies: Replies, requests: BinaryIO) -> None:
    wanted: set[int] = set()
    for line in requests:
        number, _, body = line.rstrip(b"\n").partition(b" ")
        if body:
            wanted.add(int(number))
            threading.Thread(target=_reply, args=(server, replies, int(number), body, wanted), daemon=True).start()
        else:
            wanted.discard(int(number))


def _reply(server: Any, replies: Replies, number: int, body: bytes, wanted: set[int]) -> None:
    def chunk_made(chunk: bytes) -> bool:
        if number in wanted:
            replies.send(number, chunk)
        return number not in wanted  # which stops the work

    try:
        server.handle_chat_completions(body, chunk_made)
    except WHAT_NATIVE_CODE_RAISES as error:
        refusal = {"code": 400, "type": "invalid_request_error", "message": str(error)}
        replies.send(number, json.dumps({"error": refusal}).encode())
    replies.send(number)
    wanted.discard(number)


if __name__ == "__main__":
    main()
