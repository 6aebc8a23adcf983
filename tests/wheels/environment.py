"""A place to install the wheels where nothing else is."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import uv

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent.name for path in (ROOT / "packages").glob("*/pyproject.toml"))
UV = uv.find_uv_bin()


def import_name(package: str) -> str:
    """Name the import package of a folder under ``packages``."""
    return f"idolchat_{package.replace('-', '_')}"


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds what it was asked for, and what that needs."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, dist: Path, *names: str) -> "Environment":
        """Install distributions by name from the wheels in ``dist``, all else at its locked version."""
        environment = cls(folder)
        environment.run(UV, "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder)
        sources: list[str | Path] = ["--find-links", dist, "--constraints", ROOT / "requirements.lock"]
        environment.run(UV, "pip", "install", "--quiet", "--python", environment.python, *sources, *names)
        return environment

    @property
    def python(self) -> Path:
        """Locate the interpreter."""
        return self.folder / "bin" / "python"

    def run(self, *command: str | Path) -> str:
        """Run a command away from the checkout and return what it printed; an error status raises."""
        return subprocess.run(command, cwd=self.folder, check=True, stdout=subprocess.PIPE, text=True).stdout

    def distributions(self) -> set[str]:
        """Name what is installed."""
        listed = self.run(UV, "pip", "list", "--python", self.python, "--format", "json")
        return {entry["name"] for entry in json.loads(listed)}
