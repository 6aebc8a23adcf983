"""A plugin and a core, at least one of which is released."""

import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import uv
from packaging.version import Version

from scripts.release.workspace import Package, packages_of
from scripts.released.tags import extract

__all__ = ["CORE", "Pair"]

CORE = "idolchat-core"
UV = uv.find_uv_bin()
NO_SOLUTION = 1
"""The status of uv where requirements contradict each other; 2 is any other error (its reference, exit codes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """``released`` is the version of the plugin, ``core`` that of the core; None is what stands here."""

    package: Package
    released: Version | None = None
    core: Version | None = None

    def __str__(self) -> str:
        plugin = f"{self.package.name} {self.released or 'of here'}"
        return f"{plugin} with {CORE} {self.core or 'of here'}"

    def passes(self, root: Path) -> bool:
        """Build both, run the plugin's tests, and tell whether they pass; a plugin may leave a core out."""
        sys.stdout.write(f"{self}\n")
        sys.stdout.flush()
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            tree = self._tree(root, folder / "plugin", self.package.name, self.released)
            self._build(root, tree, folder)
            if not self._installed(tree, folder):
                sys.stdout.write(f"{self}: cannot be installed together, as their ranges say\n")
                return True
            tests = f"packages/{self.package.folder.name}/tests"
            command = [str(folder / "venv" / "bin" / "python"), "-m", "pytest", "-q", tests]
            return not subprocess.run(command, cwd=tree, check=False).returncode

    def _tree(self, root: Path, folder: Path, name: str, version: Version | None) -> Path:
        return extract(root, f"{name}-v{version}", folder) if version else root

    def _build(self, root: Path, tree: Path, folder: Path) -> None:
        """Put wheels into ``dist``: the plugin's, the core's, and of the others those that stand here."""
        trees = dict.fromkeys(packages_of(root), root)
        trees |= {self.package.name: tree, CORE: self._tree(root, folder / "core", CORE, self.core)}
        for name, place in trees.items():
            command = [UV, "build", "--quiet", "--wheel", "--package", name, "--out-dir", str(folder / "dist")]
            subprocess.run(command, cwd=place, check=True)

    def _installed(self, tree: Path, folder: Path) -> bool:
        """Install the plugin and its test tools; tell whether their ranges let that be."""
        project = tomllib.loads((tree / "packages" / self.package.folder.name / "pyproject.toml").read_text())
        tools: list[str] = project.get("dependency-groups", {}).get("test", [])
        plugin = f"{self.package.name}=={project['project']['version']}"
        core = f"{CORE}=={self.core}" if self.core else CORE
        venv = str(folder / "venv")
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, venv], check=True)
        chosen = ["--python", venv, "--no-sources", "--find-links", str(folder / "dist"), plugin, core, *tools]
        done = subprocess.run([UV, "pip", "install", "--quiet", *chosen], cwd=tree, check=False)
        if done.returncode != NO_SOLUTION:
            done.check_returncode()
        return not done.returncode
