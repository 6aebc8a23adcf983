"""Run the real ``idol``, with parts that are found as plugins are: by the metadata of an installed distribution."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from parts.zygote import Zygote, running_zygote
from pydantic import TypeAdapter

from idolchat_core import Conversation
from idolchat_core.storage import document

IDOL = Path(sys.executable).with_name("idol")
PARTS = Path(__file__).with_name("parts")
PATIENCE_S = 60


class Installation:
    """A folder to run ``idol`` in, with its own environment; nothing of the developer's own is seen."""

    def __init__(self, folder: Path, zygote: Zygote) -> None:
        self.folder = folder
        self._zygote = zygote
        self.site = folder / "site"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "PYTHONPATH": os.pathsep.join([str(self.site), str(PARTS)]),
            "PYTHONWARNINGS": "error",
            "IDOLCHAT_PLUGINS": "test-parts",
            "IDOLCHAT_STORAGE": "folder",
            "IDOLCHAT_LLM": "scripted",
            "IDOLCHAT_PORT": "0",
        }

    def install(self, distribution: str, version: str, **entry_points: str) -> None:
        """Lay down the metadata that pip would, so that the plugins of these modules are found."""
        info = self.site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = [f"{name.replace('_', '-')} = {module}" for name, module in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[idolchat]", *lines, ""]))

    def script(self, *replies: list[str]) -> None:
        """Tell the model what to say, word by word."""
        (self.folder / "script.json").write_text(json.dumps(replies))

    def requests(self) -> list[dict[str, Any]]:
        """Return what the model was asked in the last run."""
        asked: list[dict[str, Any]] = json.loads((self.folder / "requests.json").read_text())
        return asked

    def stored(self) -> list[dict[str, Any]]:
        """Return the conversations that were kept, oldest first."""
        return [json.loads(path.read_text()) for path in sorted((self.folder / "stored").glob("*.json"))]

    def keep(self, *conversations: Conversation) -> None:
        """Lay down conversations as if they had been kept before."""
        (self.folder / "stored").mkdir(exist_ok=True)
        for conversation in conversations:
            (self.folder / "stored" / f"{conversation.id}.json").write_bytes(document.encode(conversation))

    def keep_record(self, namespace: str, name: str, value: bytes) -> None:
        """Lay down a record as if it had been kept before."""
        folder = self.folder / "records" / namespace
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(value)

    def records(self) -> set[str]:
        """Name the records that were kept."""
        folder = self.folder / "records"
        return {str(path.relative_to(folder)) for path in folder.glob("*/*")}

    def answer[T](self, shape: type[T], *arguments: str, status: int = 0, **env: str) -> T:
        """Run ``idol`` with ``--json``, and give what it prints, which must have this shape and nothing more."""
        done = self.run(*arguments, "--json", **env)
        assert done.returncode == status, done.stderr
        answer = TypeAdapter(shape).validate_json(done.stdout)
        assert json.loads(done.stdout) == TypeAdapter(shape).dump_python(answer, mode="json", exclude_unset=True)
        return answer

    def run(self, *arguments: str, stdin: str | bytes = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run ``idol`` with files for all that it reads and writes."""
        streams = self.folder.parent / f"{self.folder.name}-streams"
        streams.mkdir(exist_ok=True)
        (streams / "stdin").write_bytes(stdin.encode() if isinstance(stdin, str) else stdin)
        status = self._zygote.run(arguments, self.folder, self.env | env, streams)
        stdout, stderr = ((streams / name).read_bytes().decode() for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess(arguments, status, stdout, stderr)

    def execute(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run the program that the shell would, with pipes."""
        return subprocess.run(
            [IDOL, *arguments],
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env=self.env | env,
            timeout=PATIENCE_S,
            check=False,
            text=True,
        )

    def shell(self, line: str) -> None:
        """Run a line of the shell, of which every command must succeed."""
        env = self.env | {"PATH": f"{IDOL.parent}:{self.env['PATH']}"}
        command = ["bash", "-o", "pipefail", "-c", line]
        subprocess.run(command, cwd=self.folder, env=env, timeout=PATIENCE_S, check=True)

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start ``idol`` with pipes, and do not wait for it."""
        return subprocess.Popen(
            [IDOL, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self.env | env,
            text=True,
        )


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Return the process that runs of ``idol`` are forked from."""
    with running_zygote() as started:
        yield started


@pytest.fixture
def installation(tmp_path: Path, zygote: Zygote) -> Installation:
    """Return a folder with the test plugin installed."""
    result = Installation(tmp_path, zygote)
    result.install("idol-test-parts", "1.2.3", test_parts="idol_test_parts")
    return result


@pytest.fixture
def terminal(installation: Installation) -> Iterator[Callable[..., pexpect.spawn[str]]]:
    """Run ``idol`` in a terminal, of 80 columns where nothing else is said."""
    started: list[pexpect.spawn[str]] = []

    def start(*arguments: str, program: str = str(IDOL), columns: int = 80, **env: str) -> pexpect.spawn[str]:
        # Nobody answers here when the line editor asks where the cursor is.
        child = pexpect.spawn(
            program,
            list(arguments),
            cwd=str(installation.folder),
            env=installation.env | {"PROMPT_TOOLKIT_NO_CPR": "1"} | env,
            dimensions=(24, columns),
            encoding="utf-8",
            timeout=PATIENCE_S,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)
