"""What the packages declare agrees with what is checked."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_takes_part_in_the_check_of_imports() -> None:
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]

    assert sorted(checked) == sorted(path.name for path in ROOT.glob("packages/*/src/*") if path.is_dir())
