"""What deployments set is what the server reads."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KNOWN = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE))
NO_SETTINGS = {"IDOLCHAT_PACKAGES"}
"""Read by the build of the image."""
FILES = [ROOT / "deploy" / "compose" / "compose.yaml", *sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_variable_is_one_of_the_reference(path: Path) -> None:
    named = set(re.findall(r"\b(?:IDOLCHAT|OPENROUTER)_[A-Z_]+\b", path.read_text()))

    assert named - KNOWN - NO_SETTINGS == set()


def test_the_image_of_many_servers_has_what_they_need() -> None:
    compose = (ROOT / "deploy" / "compose" / "compose.yaml").read_text()
    packages = compose.split("PACKAGES:-")[1].split("}")[0].split()

    assert {"storage-postgres", "bus-redis"} <= set(packages)
    assert all((ROOT / "packages" / package.split("[")[0]).is_dir() for package in packages)
