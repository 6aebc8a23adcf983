"""A server, and commands of `idol` beside it on the same data, of which either may be killed at any call."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.support.faults import Faults
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server

__all__ = ["Neighbours"]

ROOT = Path(__file__).parents[2]


class Neighbours:
    """One data folder, with a shim in every process that uses it."""

    def __init__(self, folder: Path, shim: Path, mock: Mock, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self._shim = shim
        self._settings = {
            "OPENROUTER_API_KEY": "sk-or-v1-canary",
            "OPENROUTER_BASE_URL": mock.base_url,
            "IDOLCHAT_MODEL": "mock/echo",
            "IDOLCHAT_DATA_DIR": str(self.data),
            **settings,
        }
        self.faults = Faults(folder / "server.faults", root=self.data)
        self.server = Server(folder, self._environment(self.faults))

    def install(self, name: str, module: str) -> None:
        """Lay down the metadata of a plugin, so that it is found by every process that is started from now on."""
        info = self.folder / "site" / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[idolchat]\n{name} = {module}\n")

    def _environment(self, faults: Faults) -> dict[str, str]:
        path = os.pathsep.join((str(self.folder / "site"), str(ROOT)))
        return self._settings | {"LD_PRELOAD": str(self._shim), "FAULTS": str(faults.path), "PYTHONPATH": path}

    async def idol(self, *arguments: str, kill_at: int | None = None, text: str = "") -> tuple[int, str]:
        """Run a command on a text; give its exit status, -9 where it was killed at its n-th call, and its output."""
        faults = Faults(self.folder / f"command.{len(list(self.folder.glob('command.*')))}", root=self.data)
        if kill_at is not None:
            faults.kill_at(kill_at)
        inherited = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "idolchat_cli",
            *arguments,
            cwd=self.folder,
            env=inherited | self._environment(faults),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate(text.encode())
        assert process.returncode is not None
        return process.returncode, printed.decode()
