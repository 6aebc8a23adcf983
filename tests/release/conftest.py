"""A workspace of two packages, the second a plugin of the first, that may be released."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv
from scripts.release.workspace import Package, packages_of

ROOT = Path(__file__).parents[2]
GROUPS = ("audit", "dev", "parallel", "product", "sbom")
WORKSPACE = f"""\
[tool.uv]
package = false

[tool.uv.workspace]
members = ["packages/*"]

[tool.uv.sources]
idolchat-core = {{ workspace = true }}
idolchat-shelf = {{ workspace = true }}

[dependency-groups]
{"".join(f"{group} = []{chr(10)}" for group in GROUPS)}"""
PROJECT = """\
[project]
name = "idolchat-{name}"
version = "0.3.1"
description = "The {name}."
readme = "README.md"
requires-python = ">=3.12"
license = "MIT"
license-files = ["LICENSE"]
classifiers = ["Typing :: Typed"]
dependencies = [{dependencies}]

[project.entry-points.idolchat]
{name} = "idolchat_{name}.plugin"

[dependency-groups]
test = []

[build-system]
requires = ["uv_build>=0.9.8,<0.14"]
build-backend = "uv_build"
"""
CHANGELOG = "# Changelog\n\n## [0.3.1] - 2026-05-04\n\n- It is kept.\n\n## [0.3.0] - 2026-05-01\n\n- It is there.\n"


@dataclass(frozen=True)
class Workspace:
    """Files below a folder."""

    root: Path

    def package(self, name: str) -> Package:
        """Read a package, by its folder."""
        return self.packages()[f"idolchat-{name}"]

    def packages(self) -> dict[str, Package]:
        """Read all packages."""
        return packages_of(self.root)

    def write(self, file: str, text: str) -> None:
        """Write a file, whose folder may have to be made."""
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, file: str, old: str, new: str) -> None:
        """Put a text in the place of another, which is there."""
        text = (self.root / file).read_text()
        assert old in text
        self.write(file, text.replace(old, new))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the workspace, and lock it by the Makefile of this one."""
    workspace = Workspace(tmp_path_factory.mktemp("template"))
    workspace.write("pyproject.toml", WORKSPACE)
    for file in ("Makefile", ".python-version"):
        workspace.write(file, (ROOT / file).read_text())
    for name, dependencies in (("core", ""), ("shelf", '"idolchat-core>=0.3,<0.4"')):
        folder = f"packages/{name}"
        workspace.write(f"{folder}/pyproject.toml", PROJECT.format(name=name, dependencies=dependencies))
        workspace.write(f"{folder}/CHANGELOG.md", CHANGELOG)
        workspace.write(f"{folder}/README.md", f"# {name}\n\nKeeps things, 何でも.\n")
        workspace.write(f"{folder}/LICENSE", "Do as you like.\n")
        for file in ("__init__.py", "plugin.py", "py.typed", "words.txt"):
            workspace.write(f"{folder}/src/idolchat_{name}/{file}", "")
    (workspace.root / ".tools" / "bin").mkdir(parents=True)
    (workspace.root / ".tools" / "bin" / "uv").symlink_to(uv.find_uv_bin())
    subprocess.run(["make", "lock", "ARGS="], cwd=workspace.root, check=True)
    return workspace.root


@pytest.fixture
def workspace(template: Path, tmp_path: Path) -> Workspace:
    """Copy the workspace for a test to change."""
    return Workspace(shutil.copytree(template, tmp_path / "workspace", symlinks=True))
