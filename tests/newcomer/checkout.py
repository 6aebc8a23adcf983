"""A clone of the repository on a machine where nothing of it was installed, and pages followed in it word for word."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import IO

import uv

from idolchat_core.testing import reserve_port

ROOT = Path(__file__).parents[2]
MARK = "==== "
PATIENCE_S = 900
START_S = 60
STOP_S = 60
STOP_ALL = "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"
OURS = re.compile(
    r"IDOLCHAT_|OPENROUTER_|SUPABASE_|PYTHON|NOX_|PYTEST_|VIRTUAL_ENV|UV_PROJECT|UV_PYTHON|MAKE|MFLAGS|ARGS"
)
"""What a variable's name begins with that a newcomer does not have."""


def blocks(page: str, language: str = "sh") -> list[str]:
    """Read the code blocks of a page, such as ``docs/tutorials/first-talk.md``, in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Followed:
    """What the code blocks of a page printed, and when each was done, in seconds from the first one's start."""

    printed: list[str]
    after_s: list[float]


@dataclass
class Checkout:
    """A clone, and a home that is empty.

    ``ports`` are written in the place of those of the pages, since others may use these on the machine of a test.
    """

    folder: Path
    home: Path
    environment: dict[str, str]
    ports: dict[str, str] = field(
        default_factory=lambda: {port: str(reserve_port()) for port in ("8000", "8001", "9000")}
    )
    times: dict[str, float] = field(default_factory=dict)

    @classmethod
    def clone(cls, folder: Path, *, is_cold: bool) -> "Checkout":
        """Clone the repository, with what is not committed yet; nothing is downloaded before where ``is_cold``."""
        began = monotonic()
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, folder / "idolchat"], check=True)
        cloned_s = monotonic() - began
        for name in _git("ls-files", "--modified", "--others", "--exclude-standard"):
            if (ROOT / name).is_file():
                (folder / "idolchat" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / "idolchat" / name)
        home = folder / "home"
        home.mkdir()
        environment = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        environment |= {"HOME": str(home), "PATH": _path()}
        if not is_cold:
            environment["UV_CACHE_DIR"] = _said(uv.find_uv_bin(), "cache", "dir").strip()
        checkout = cls(folder / "idolchat", home, environment)
        checkout.times["git clone"] = cloned_s
        return checkout

    def here(self, text: str) -> str:
        """Write the ports of this machine in the place of those of a page."""
        return re.sub(r"\b(8000|8001|9000)\b", lambda found: self.ports[found[0]], text)

    @contextmanager
    def running(self, command: str, **variables: str) -> Iterator[IO[str]]:
        """Run a command of a page in a terminal of its own; give what it prints, and press Ctrl+C at the end."""
        process = subprocess.Popen(
            ["sh", "-c", f"exec {self.here(command)}"],
            cwd=self.folder,
            env={**self.environment, "IDOLCHAT_PORT": self.ports["8000"], **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout
        try:
            yield process.stdout
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=STOP_S)
            process.stdout.close()

    def wait_for_port(self, port: str) -> None:
        """Wait until somebody listens on a port of the pages."""
        give_up_at = monotonic() + START_S
        while True:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", int(self.here(port)))):
                return
            assert monotonic() < give_up_at, f"nobody listens on port {port} of the pages"
            sleep(0.02)

    def follow(self, page: str) -> Followed:
        """Run all that a page says, in one shell, with the commands of the checkout on the path; an error raises."""
        path = os.pathsep.join((str(self.folder / ".venv" / "bin"), self.environment["PATH"]))
        script = "".join(f"{self.here(block)}\necho; date '+{MARK}%s.%N'\n" for block in blocks(page))
        done = subprocess.run(
            ["sh", "-e", "-c", f"{STOP_ALL}\ndate '+{MARK}%s.%N'\n{script}"],
            cwd=self.folder,
            env={**self.environment, "PATH": path},
            check=False,
            timeout=PATIENCE_S,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{page}\n{done.stdout}\n{done.stderr}"
        first, *parts = re.split(rf"^{MARK}([\d.]+)\n", done.stdout, flags=re.MULTILINE)[1:]
        return Followed(parts[:-1:2], [float(when) - float(first) for when in parts[1::2]])


def _git(*arguments: str) -> list[str]:
    return _said("git", "-C", str(ROOT), *arguments).splitlines()


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _path() -> str:
    """Leave the environments of this project out of the path."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(one for one in folders if not re.search(r"/\.(venv|nox|tools)\b", one))
