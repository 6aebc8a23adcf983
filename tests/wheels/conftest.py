"""Build every wheel once, and install chosen ones."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.wheels.environment import ROOT, UV, Environment
from tests.wheels.subsets import SUBSETS
from tests.wheels.table import Table


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what ``nox -s matrix`` asks for."""
    parser.addoption("--pythons", default=sys.executable, help="Pythons to install for, such as 3.12,3.13")
    parser.addoption("--all-subsets", action="store_true", help="install each subset, not only the telling ones")
    parser.addoption("--table", type=Path, help="a page, to write sizes and starts into")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Install each subset for each Python once for all tests of a module."""
    if "installed" in metafunc.fixturenames:
        every = metafunc.config.getoption("--all-subsets")
        pythons = metafunc.config.getoption("--pythons").split(",")
        cases = [(subset, python) for subset in SUBSETS if subset.is_fast or every for python in pythons]
        names = [f"{subset.name}-{Path(python).name}" for subset, python in cases]
        metafunc.parametrize("installed", cases, ids=names, indirect=True, scope="module")


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Collect what is measured; write it where ``--table`` says."""
    table = Table()
    yield table
    if page := request.config.getoption("--table"):
        table.write_into(page, request.config.getoption("--pythons").split(","))


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheels of the workspace and of the examples into one folder."""
    folder = tmp_path_factory.mktemp("dist")
    build = [UV, "build", "--quiet", "--wheel", "--out-dir", str(folder)]
    subprocess.run([*build, "--all-packages"], cwd=ROOT, check=True)
    for example in (ROOT / "examples").glob("*/pyproject.toml"):
        subprocess.run([*build, str(example.parent)], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="session")
def install(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Environment]:
    """Install distributions by name into an environment of their own."""
    return lambda *names: Environment.create(tmp_path_factory.mktemp("environment"), dist, *names)


@pytest.fixture(scope="session")
def server(install: Callable[..., Environment]) -> Environment:
    """Install a server as the README says it."""
    return install("idolchat-api", "idolchat-storage-local", "idolchat-llm-openrouter")
