"""Compares what gateways cost, in interleaved rounds, and prints Markdown.

    nox -s bench                               nginx and this server, three rounds
    nox -s bench -- --peers litellm,portkey    others too; they are installed under ~/.cache first
    nox -s bench -- --only rest-64,sse-32 --rounds 1

CPU time of a process tree is the main figure: it moves by a tenth or two when strangers load the machine, times by much
more. `others` is how many cores strangers kept busy meanwhile; repeat a run where it is above 0.3.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.wire.counted import counts_table
from benchmarks.wire.gateway import Gateway, Setup
from benchmarks.wire.measure import GATEWAY_CORES, OTHER_CORES, ROOT, Bench
from benchmarks.wire.nginx import DIRECT, NGINX
from benchmarks.wire.ours import OURS, OURS_WITH_KEYS, OURS_WITH_MIRROR, OURS_WITH_PLUGINS, ours_by
from benchmarks.wire.peers import PEERS
from benchmarks.wire.ports import free_port
from benchmarks.wire.process import Process
from benchmarks.wire.python_builds import BuildMissing, described, optimized_python
from benchmarks.wire.scenario import SCENARIOS, Scenario
from benchmarks.wire.syncs import syncs_table
from benchmarks.wire.table import tables


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=_names(SCENARIOS), default=[*SCENARIOS], help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--peers", type=_names(PEERS), default=[], help=f"of {', '.join(PEERS)}")
    parser.add_argument("--folder", type=Path, default=None, help="where data goes; on the disk to be measured")
    parser.add_argument("--rows", type=Path, default=None, help="add every row to this file, a JSON object a line")
    parser.add_argument("--no-counts", action="store_true", help="do not count instructions and calls of the system")
    parser.add_argument("--keep", type=Path, default=None, help="keep callgrind's files in this folder")
    parser.add_argument("--no-syncs", action="store_true", help="do not count syncs, which needs a C compiler")
    return parser.parse_args()


def _names(known: Iterable[str]) -> Any:
    def names(text: str) -> list[str]:
        asked = text.split(",")
        if unknown := [name for name in asked if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(known)}")
        return asked

    return names


def main() -> None:
    asked = options()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    builds = _builds()
    variants = (OURS_WITH_KEYS, OURS_WITH_PLUGINS, OURS_WITH_MIRROR)
    gateways = [DIRECT, NGINX, *builds, *variants, *(PEERS[name] for name in asked.peers)]
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=asked.folder)))
        upstream, url = _upstream(stack, folder)
        for number in range(asked.rounds):
            for gateway in gateways:
                for row in _rows(gateway, upstream, url, folder, [SCENARIOS[name] for name in asked.only]):
                    rows.append({"round": number, **row})
                    print(json.dumps(rows[-1]), file=sys.stderr)
                    _keep(rows[-1], asked.rows)
        if not asked.no_syncs:
            print(syncs_table(OURS, url))
        if not asked.no_counts:
            print(counts_table(builds, url, keep=asked.keep))
    print(tables(rows))


def _builds() -> list[Gateway]:
    """Return this server by the Python that runs this, and by an optimized one where that can be had."""
    print(f"idolchat is run by {described()}")
    try:
        optimized = ours_by(optimized_python(), name="Debian's Python 3.13")
    except BuildMissing as error:
        print(f"idolchat is not measured by an optimized build of Python: {error}")
        return [OURS]
    return [OURS, optimized]


def _keep(row: dict[str, Any], rows: Path | None) -> None:
    if rows is not None:
        with rows.open("a") as file:
            file.write(f"{json.dumps(row)}\n")


def _upstream(stack: ExitStack, folder: Path) -> tuple[Process, str]:
    port = free_port()
    command = [sys.executable, "-m", "tests.support.mock_openrouter", "--port", str(port)]
    upstream = Process(command, cores=OTHER_CORES, environment={}, folder=ROOT, log=folder / "upstream.log")
    stack.enter_context(upstream)
    url = f"http://127.0.0.1:{port}/v1"
    upstream.wait_until_answering(f"{url}/models")
    return upstream, url


def _rows(
    gateway: Gateway, upstream: Process, url: str, folder: Path, scenarios: list[Scenario]
) -> Iterable[dict[str, Any]]:
    served = [scenario for scenario in scenarios if _is_served(gateway, scenario)]
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        if gateway.prepare is None:
            setup, process = Setup(command=(), port=int(url.rpartition(":")[2].partition("/")[0])), upstream
        else:
            setup = gateway.prepare(place, url)
            if setup.beside:
                log = folder / "beside.log"
                stack.enter_context(Process(setup.beside, cores=OTHER_CORES, environment={}, folder=ROOT, log=log))
            process = Process(
                setup.command,
                cores=GATEWAY_CORES,
                environment={"PATH": os.environ["PATH"], **setup.environment},
                folder=place,
                log=folder / f"{gateway.name}.log",
            )
            stack.enter_context(process)
            process.wait_until_answering(f"http://127.0.0.1:{setup.port}{setup.ready}")
        if gateway.log_in is not None:
            setup = replace(setup, headers=gateway.log_in(setup))
        bench = Bench(upstream, gateway, setup, process)
        for scenario in served:
            yield bench.measure(scenario)


def _is_served(gateway: Gateway, scenario: Scenario) -> bool:
    return scenario.mode in gateway.paths and (not gateway.scenarios or scenario.name in gateway.scenarios)


if __name__ == "__main__":
    main()
