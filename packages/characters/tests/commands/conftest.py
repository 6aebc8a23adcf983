"""The real `idol`, on a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

IDOL = Path(sys.executable).with_name("idol")


class Idol:
    """Runs `idol` in a folder where nothing is configured."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._env = {"PATH": os.environ["PATH"], "HOME": str(folder), "IDOLCHAT_PLUGINS": "characters,storage-local"}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(IDOL), *arguments]
        return subprocess.run(
            command, cwd=self._folder, env=self._env, capture_output=True, text=True, timeout=60, check=False
        )

    def shell(self, line: str) -> str:
        """Run a line of the shell, of which every command must succeed, and return what it prints."""
        env = self._env | {"PATH": f"{IDOL.parent}:{self._env['PATH']}"}
        command = ["bash", "-o", "pipefail", "-c", line]
        done = subprocess.run(command, cwd=self._folder, env=env, stdout=subprocess.PIPE, timeout=60, check=True)
        return done.stdout.decode()

    def answer(self, *arguments: str) -> Any:
        """Run it with ``--json``, and return what it prints."""
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def idol(tmp_path: Path) -> Idol:
    return Idol(tmp_path)
