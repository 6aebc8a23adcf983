"""What crash tests share: servers that start fast, on a disk that can be made to fail."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from idolchat_storage_postgres.testing import PostgresServer, running_postgres
from tests.support.faults import Faults, compile_shim
from tests.support.mock_openrouter.fixture import Mock
from tests.support.zygote import ForkedServer, Zygote, running_zygote

# In the environment, so that tests that run side by side share it.
SEED = int(os.environ.setdefault("IDOLCHAT_CRASH_SEED", "1"))


class Tally:
    """How often servers were killed, and disks failed, in this run."""

    kills = 0
    faults = 0
    notes: ClassVar[list[str]] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts to whoever runs tests side by side."""
    told: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["tally"] = [Tally.kills, Tally.faults, Tally.notes]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up the counts of those who ran side by side."""
    kills, faults, notes = getattr(node, "workeroutput", {}).get("tally", (0, 0, []))
    Tally.kills += kills
    Tally.faults += faults
    Tally.notes += notes


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Describe what was done, and how to do it again."""
    if Tally.kills or Tally.faults:
        terminalreporter.section("crash tests")
        terminalreporter.line(
            f"{Tally.kills} kills, {Tally.faults} disk faults; IDOLCHAT_CRASH_SEED={SEED} repeats them"
        )
    for note in Tally.notes:
        terminalreporter.line(note)


class Rig:
    """A server and the disk it is on."""

    def __init__(self, server: ForkedServer, faults: Faults) -> None:
        self.server = server
        self.faults = faults

    def killed(self) -> None:
        """Count a kill, and see to it that the server was killed."""
        status = self.server.wait()
        assert status == -9, f"the server ended with {status}: {self.server.log.read_text()[-2000:]}"
        Tally.kills += 1


type NewRig = Callable[..., Rig]


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Return the process that servers are forked from."""
    with running_zygote(compile_shim(tmp_path_factory.mktemp("shim"))) as zygote:
        yield zygote


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL that may fail, and must keep what it has acknowledged."""
    with running_postgres(options=["max_connections=200"], fsync=True) as server:
        yield server


@pytest.fixture
def new_rig(tmp_path: Path, zygote: Zygote, mock_openrouter: Mock) -> Iterator[NewRig]:
    """Return a function that makes a server, not started yet, on a folder of its own."""
    rigs: list[Rig] = []

    def make(**environment: str) -> Rig:
        folder = tmp_path / f"server-{len(rigs)}"
        folder.mkdir()
        faults = Faults(folder / "faults", root=folder / "data")
        given = {
            "OPENROUTER_API_KEY": "sk-or-v1-canary",
            "OPENROUTER_BASE_URL": mock_openrouter.base_url,
            "FAULTS": str(faults.path),
            **environment,
        }
        rigs.append(Rig(ForkedServer(folder, given, zygote), faults))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.server.__exit__()


@pytest.fixture
def rig(new_rig: NewRig) -> Rig:
    """Return one server, not started yet."""
    return new_rig()


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Give chance that can be repeated."""
    return random.Random(f"{SEED} {request.node.name}")
