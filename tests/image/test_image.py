"""What the image starts, started in an environment that is built as the image is."""

import json
import os
import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import uv

from idolchat_core.testing import reserve_port
from tests.image.dockerfile import ROOT, Image
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import START_S

IMAGE = Image.read()
PREFIX = "/opt/idolchat"


class Container:
    """The image's commands, run with the image's environment, its folders standing elsewhere."""

    def __init__(self, prefix: Path, data: Path, environment: dict[str, str]) -> None:
        self._places = {PREFIX: str(prefix), IMAGE.environment["IDOLCHAT_DATA_DIR"]: str(data)}
        self._places |= {place: str(ROOT / source) for place, source in IMAGE.copied.items()}
        self._environment = {name: self._placed(value) for name, value in IMAGE.environment.items()} | environment
        self._prefix = prefix

    def _placed(self, text: str) -> str:
        for inside, outside in self._places.items():
            if text == inside or text.startswith(f"{inside}/"):
                return outside + text.removeprefix(inside)
        return text.replace("${PATH}", os.environ["PATH"])

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command."""
        [program, *arguments] = map(self._placed, command)
        return subprocess.Popen(
            [self._prefix / "bin" / program, *arguments],
            cwd=self._prefix,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command to its end; give its exit status and what it printed."""
        with self.start(*command) as process:
            said, _ = process.communicate(timeout=START_S)
        return process.returncode, said

    def files(self) -> dict[str, int]:
        """Return when each file of the installation was changed, in nanoseconds."""
        return {str(path): path.lstat().st_mtime_ns for path in self._prefix.rglob("*")}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install what the image holds, by the script that the image is built with."""
    folder = tmp_path_factory.mktemp("image") / "opt"
    path = f"{Path(uv.find_uv_bin()).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHON": "3.12"}
    subprocess.run([ROOT / "docker" / "install.sh", folder, *IMAGE.packages], env=environment, check=True)
    return folder


@pytest.fixture
def container(prefix: Path, mock_openrouter: Mock) -> Container:
    """Return a container with an empty volume."""
    data = prefix.parent / "data"
    data.mkdir(mode=0o700)
    return Container(
        prefix,
        data,
        {
            "IDOLCHAT_HOST": "127.0.0.1",
            "IDOLCHAT_PORT": str(reserve_port()),
            "OPENROUTER_API_KEY": "sk-or-v1-test",
            "OPENROUTER_BASE_URL": mock_openrouter.base_url,
            "IDOLCHAT_MODEL": "mock/echo",
        },
    )


def started(process: subprocess.Popen[str]) -> str:
    """Wait until a server says where it serves."""
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if "Serving http" in line:
            return line.split()[1]
    raise AssertionError(f"the server did not start: {''.join(said)}")


def chat(url: str, key: str = "") -> int:
    """Say something; give the status."""
    body = json.dumps({"messages": [{"role": "user", "content": "Hello!"}]}).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urlopen(Request(f"{url}/chat", body, headers), timeout=60) as response:  # noqa: S310  # our own server
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code


def test_the_container_is_healthy_while_it_serves_whoever_has_a_key(container: Container) -> None:
    before, why = container.run(*IMAGE.health_check)
    installed = container.files()
    with container.start(*IMAGE.command) as server:
        url = started(server)
        while_it_runs = container.run(*IMAGE.health_check)
        made, key = container.run("idol", "keys", "create", "--name", "test", "--json")
        statuses = chat(url), chat(url, json.loads(key)["key"])
        server.terminate()
        server.communicate(timeout=START_S)

    assert (before, "no answer on port" in why) == (1, True)
    assert while_it_runs == (0, "")
    assert made == 0
    assert statuses == (401, 200)
    assert server.returncode == 0
    assert container.files() == installed  # the root file system may be read-only
