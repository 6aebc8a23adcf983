"""What a mirror in Supabase, with the table, costs a stream in a new conversation, to the end of the copy.

    python -m benchmarks.mirrored_streams [ROUNDS]

Runs the server with and without the mirror in turn, 32 streams at once, each in its own conversation, before a model
that sends 64 deltas and a stand-in for Supabase that answers after 20 ms. Counts the CPU time of the server's process
until nothing is left to be copied. Prints a Markdown table of medians.
"""

import json
import os
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from benchmarks.wire.gateway import Gateway
from benchmarks.wire.measure import GATEWAY_CORES, OTHER_CORES, ROOT, load_of, run_load
from benchmarks.wire.ours import OURS, OURS_WITH_MIRROR
from benchmarks.wire.ports import free_port
from benchmarks.wire.process import Process
from benchmarks.wire.scenario import SCENARIOS

STREAMS = 400
LONGEST_COPY_S = 60.0


def cpu_ms(gateway: Gateway, upstream: str, folder: Path) -> float:
    """Measure a server: milliseconds of CPU a stream."""
    assert gateway.prepare is not None
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        setup = gateway.prepare(place, upstream)
        if setup.beside:
            log = folder / "beside.log"
            stack.enter_context(Process(setup.beside, cores=OTHER_CORES, environment={}, folder=ROOT, log=log))
        environment = {"PATH": os.environ["PATH"], **setup.environment}
        log = folder / "server.log"
        process = Process(setup.command, cores=GATEWAY_CORES, environment=environment, folder=place, log=log)
        stack.enter_context(process)
        url = f"http://127.0.0.1:{setup.port}"
        process.wait_until_answering(f"{url}{setup.ready}")
        load = replace(load_of(gateway, setup, SCENARIOS["sse-32"]), requests=STREAMS, seconds=120.0)
        run_load(replace(load, requests=64, tag=secrets.token_hex(4)))
        wait_for_copies(url)
        before = process.cpu_s()
        seen, _ = run_load(load)
        wait_for_copies(url)
        return 1000 * (process.cpu_s() - before) / int(seen["replies"])


def wait_for_copies(url: str) -> None:
    """Wait until the mirror lacks nothing, and the rows that go with it had their time."""
    deadline = time.monotonic() + LONGEST_COPY_S
    while time.monotonic() < deadline:
        with urlopen(f"{url}/health") as answer:  # noqa: S310  # our own address
            if json.load(answer)["mirror"]["pending"] == 0:
                time.sleep(1.0)
                return
        time.sleep(0.2)
    raise SystemExit("the copies did not arrive in time")


def main(rounds: int) -> None:
    gateways = {"no mirror": OURS, "Supabase, with the table": OURS_WITH_MIRROR}
    taken: dict[str, list[float]] = {name: [] for name in gateways}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        command = [sys.executable, "-m", "tests.support.mock_openrouter", "--port", str(port)]
        log = folder / "upstream.log"
        upstream = Process(command, cores=OTHER_CORES, environment={}, folder=ROOT, log=log)
        stack.enter_context(upstream)
        url = f"http://127.0.0.1:{port}/v1"
        upstream.wait_until_answering(f"{url}/models")
        for _ in range(rounds):
            for name, gateway in gateways.items():
                taken[name].append(cpu_ms(gateway, url, folder))
                print(name, f"{taken[name][-1]:.2f}", file=sys.stderr)
    base = median(taken["no mirror"])
    print("| mirror | CPU ms a stream | of that without |\n|---|---:|---:|")
    for name, values in taken.items():
        print(f"| {name} | {median(values):.2f} | {median(values) / base:.2f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
