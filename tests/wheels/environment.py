"""A place to install the wheels where nothing else is."""

import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import uv

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent.name for path in (ROOT / "packages").glob("*/pyproject.toml"))
UV = uv.find_uv_bin()


def import_name(package: str) -> str:
    """Name the import package of a folder under ``packages``."""
    return f"idolchat_{package.replace('-', '_')}"


def sources(folder: Path, dist: Path) -> tuple[str | Path, ...]:
    """Make uv take our wheels from ``dist``, all else at its locked version, and not what the project leaves out."""
    left_out = folder / "left-out.txt"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    left_out.write_text("\n".join(project["tool"]["uv"]["exclude-dependencies"]))
    return "--find-links", dist, "--constraints", ROOT / "requirements.lock", "--excludes", left_out


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds what it was asked for, and what that needs."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, dist: Path, *names: str, python: str = sys.executable) -> "Environment":
        """Install distributions by name from the wheels in ``dist``, all else at its locked version."""
        environment = cls(folder)
        find = [
            UV,
            "python",
            "find",
            "--no-python-downloads",
            python,
        ]  # a version manager may know it in the checkout only
        found = subprocess.run(find, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        environment.run(UV, "venv", "--quiet", "--allow-existing", "--python", found, folder)
        command: list[str | Path] = [UV, "pip", "install", "--quiet", "--python", environment.python]
        environment.run(*command, *sources(folder, dist), *names)
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

    def size_bytes(self) -> int:
        """Add up what is installed, without what Python compiles of it."""
        (installed,) = self.folder.glob("lib/python*/site-packages")
        files = [file for file in installed.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
        return sum(file.stat().st_size for file in files)
