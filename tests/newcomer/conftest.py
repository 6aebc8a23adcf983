"""One clone, in which the pages are followed one after the other, and how long that took."""

import re
import threading
from collections.abc import Iterator
from time import monotonic

import pytest

from tests.newcomer.checkout import Checkout, blocks

TIMES = pytest.StashKey[dict[str, float]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--cold``."""
    parser.addoption("--cold", action="store_true", help="download everything, as on a new machine")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Checkout:
    """Clone the repository."""
    checkout = Checkout.clone(tmp_path_factory.mktemp("newcomer"), is_cold=request.config.getoption("--cold"))
    request.config.stash[TIMES] = checkout.times
    return checkout


@pytest.fixture(scope="session")
def served(checkout: Checkout) -> Iterator[str]:
    """Run the first command of the README; return the address that it serves."""
    (command,) = {line for line in blocks("README.md")[0].splitlines() if line.startswith("make run")}
    page = f"http://127.0.0.1:{checkout.ports['9000']}"  # the tutorial of a front end starts the server with it
    began = monotonic()
    with checkout.running(command.split("#")[0], IDOLCHAT_API_ALLOWED_ORIGINS=page) as printed:
        said = []
        for line in printed:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            raise AssertionError(f"it did not start: {''.join(said)}")
        checkout.times["make run, until it serves"] = monotonic() - began
        threading.Thread(target=printed.read, daemon=True).start()
        yield found[0]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report how long everything took."""
    times = config.stash.get(TIMES, {})
    if times:
        terminalreporter.section("a newcomer's time")
        for what, seconds in times.items():
            terminalreporter.write_line(f"{seconds:7.1f} s  {what}")
        terminalreporter.write_line(f"{sum(times.values()):7.1f} s  in all")
