"""What the packages of a workspace say of themselves."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

__all__ = ["Package", "packages_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A folder below ``packages/``, and its ``[project]`` table."""

    folder: Path
    project: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of the distribution."""
        return str(self.project["name"])

    @property
    def version(self) -> str:
        """The version as it is written."""
        return str(self.project["version"])

    @property
    def file_stem(self) -> str:
        """What the name is in file names; the import package has it, too."""
        return self.name.replace("-", "_")

    @property
    def source(self) -> Path:
        """The folder of the import package."""
        return self.folder / "src" / self.file_stem

    def where(self, file: str) -> str:
        """Name a file of the package as seen from the root of the workspace."""
        return f"packages/{self.folder.name}/{file}"

    def requirements(self) -> dict[str, Requirement]:
        """Parse what the package requires, its extras included, by the text in which it is written."""
        extras = self.project.get("optional-dependencies", {}).values()
        texts = [text for one in (self.project.get("dependencies", ()), *extras) for text in one]
        return {text: Requirement(text) for text in texts}


def packages_of(root: Path) -> dict[str, Package]:
    """Read all packages, by name."""
    files = sorted(root.glob("packages/*/pyproject.toml"))
    found = (Package(folder=file.parent, project=tomllib.loads(file.read_text())["project"]) for file in files)
    return {package.name: package for package in found}
