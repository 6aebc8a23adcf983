"""The releases of a workspace, by the tags of its repository."""

import io
import re
import subprocess
import tarfile
from pathlib import Path

from packaging.version import InvalidVersion, Version

__all__ = ["extract", "releases_of"]

_TAG = re.compile(r"(?P<name>[a-z0-9-]+?)-v(?P<version>\d.*)")


def releases_of(root: Path) -> dict[str, list[Version]]:
    """Return the versions of each distribution that has a tag, the lowest first."""
    listed = subprocess.run(["git", "tag", "--list"], cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, list[Version]] = {}
    for tag in filter(None, map(_TAG.fullmatch, listed.splitlines())):
        try:
            found.setdefault(tag["name"], []).append(Version(tag["version"]))
        except InvalidVersion:
            continue  # another kind of tag
    return {name: sorted(versions) for name, versions in found.items()}


def extract(root: Path, tag: str, folder: Path) -> Path:
    """Write the files of a tag into a folder, and return it."""
    archive = subprocess.run(["git", "archive", tag], cwd=root, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder
