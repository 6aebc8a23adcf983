"""What is in the wheels."""

import zipfile
from pathlib import Path

import pytest

from tests.wheels.environment import PACKAGES, import_name


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_its_package_its_types_and_its_licence(dist: Path, package: str) -> None:
    name = import_name(package)
    (wheel,) = dist.glob(f"{name}-*.whl")

    files = set(zipfile.ZipFile(wheel).namelist())

    assert f"{name}/py.typed" in files
    assert any(file.endswith(".dist-info/licenses/LICENSE") for file in files)
    assert {file.split("/")[0].split("-")[0] for file in files} == {name}
