"""What the packages declare agrees with what is tested, and with what is checked."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SUBCLASSED = {"typer", "uvicorn", "websockets"}
"""Distributions whose insides we build on: what they change there, no release note tells."""
REQUIREMENT = re.compile(r"(?P<name>[\w-]+)(?:\[.*\])?[>=]+[\w.]+(?:,<(?P<series>[\d.]*?)(?P<bound>\d+))?(?:;.*)?")


def read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def requirements() -> list[re.Match[str]]:
    """Parse what packages need at run time, apart from each other."""
    files = ROOT.glob("packages/*/pyproject.toml")
    found = [REQUIREMENT.fullmatch(text) for file in files for text in read_toml(file)["project"]["dependencies"]]
    assert None not in found
    return [one for one in found if one is not None and not one["name"].startswith("idolchat-")]


def test_what_is_subclassed_has_an_upper_bound() -> None:
    bounded = {one["name"]: bool(one["bound"]) for one in requirements() if one["name"] in SUBCLASSED}

    assert bounded == dict.fromkeys(SUBCLASSED, True)


@pytest.mark.parametrize("requirement", [one for one in requirements() if one["bound"]], ids=lambda one: one[0])
def test_an_upper_bound_lets_nothing_in_that_is_newer_than_what_is_tested(requirement: re.Match[str]) -> None:
    newest = f"{requirement['series']}{int(requirement['bound']) - 1}."
    locks = [(ROOT / f"requirements{kind}.lock").read_text() for kind in ("-newest", "")]
    tested = [line.split()[0] for lock in locks for line in lock.splitlines() if line[:1].isalpha()]

    assert any(version.startswith(f"{requirement['name']}=={newest}") for version in tested)


def test_every_package_takes_part_in_the_check_of_imports() -> None:
    linter = read_toml(ROOT / "pyproject.toml")["tool"]["importlinter"]
    layers = next(contract["layers"] for contract in linter["contracts"] if contract["id"] == "packages")
    packages = sorted(path.name for path in ROOT.glob("packages/*/src/*") if path.is_dir())

    assert sorted(linter["root_packages"]) == packages
    assert sorted(re.findall(r"\w+", " ".join(layers))) == packages
