"""Build every wheel once, and install chosen ones."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wheels.environment import ROOT, UV, Environment


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
