"""What is built is what the sources and their descriptions say."""

import zipfile
from pathlib import Path

import pytest
from scripts.release.artifacts import CannotBuild, artifact_problems, build

from tests.release.conftest import Workspace

SHELF = "packages/shelf"
WHEEL, SDIST = "idolchat_shelf-0.3.1-py3-none-any.whl", "idolchat_shelf-0.3.1.tar.gz"


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A folder for what is built."""
    folder = tmp_path / "dist"
    folder.mkdir()
    return folder


def problems(workspace: Workspace, dist: Path) -> list[str]:
    build(workspace.package("shelf"), dist)
    return list(artifact_problems(workspace.package("shelf"), dist))


def test_a_package_as_ours_are_is_all_right(workspace: Workspace, dist: Path) -> None:
    assert problems(workspace, dist) == []
    assert sorted(file.name for file in dist.glob("idolchat*")) == [WHEEL, SDIST]


def test_a_data_file_that_a_setting_excludes_is_missed_in_both(workspace: Workspace, dist: Path) -> None:
    workspace.write(f"{SHELF}/src/idolchat_shelf/words.txt", "one")
    setting = '[tool.uv.build-backend]\nsource-exclude = ["words.txt"]\nwheel-exclude = ["words.txt"]\n'
    workspace.edit(f"{SHELF}/pyproject.toml", "[dependency-groups]", f"{setting}\n[dependency-groups]")

    found = problems(workspace, dist)

    assert [problem.split(":")[0] for problem in found] == [
        f"{archive} lacks idolchat_shelf/words.txt" for archive in (WHEEL, SDIST)
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'readme = "README.md"',
            'readme = { file = "LICENSE", content-type = "text/plain" }',
            'write readme = "README.md"',
        ),
        ('description = "The shelf."\n', "", "Summary was built as None"),
        ('license = "MIT"\n', "", "License-Expression was built as None"),
        ('license-files = ["LICENSE"]\n', "", 'names no licence: write license-files = ["LICENSE"]'),
        ('["LICENSE"]', '["LICEN?E"]', "packages/shelf/LICEN?E is not in wheel and sdist as it is"),
        ("idolchat_shelf.plugin", "idolchat_shelf.plug", "is no module of the package: write the path of one"),
    ],
)
def test_what_does_not_agree_is_named_with_what_to_write(
    workspace: Workspace, dist: Path, old: str, new: str, said: str
) -> None:
    workspace.edit(f"{SHELF}/pyproject.toml", old, new)

    assert said in "\n".join(problems(workspace, dist))


def test_types_are_marked(workspace: Workspace, dist: Path) -> None:
    (workspace.root / SHELF / "src" / "idolchat_shelf" / "py.typed").unlink()

    assert problems(workspace, dist) == ["packages/shelf/src/idolchat_shelf/py.typed is missing: create it, empty"]


def test_a_wheel_of_other_sources_is_refused(workspace: Workspace, dist: Path) -> None:
    build(workspace.package("shelf"), dist)
    workspace.write(f"{SHELF}/src/idolchat_shelf/plugin.py", "CHANGED = True\n")
    with zipfile.ZipFile(dist / WHEEL, "a") as wheel:
        wheel.writestr("idolchat_shelf/left_over.py", "")

    found = list(artifact_problems(workspace.package("shelf"), dist))

    assert found == [
        f"{WHEEL} holds idolchat_shelf/left_over.py, which is not in the sources",
        f"{WHEEL} has another idolchat_shelf/plugin.py than the sources",
        f"{SDIST} has another idolchat_shelf/plugin.py than the sources",
    ]


def test_metadata_of_another_version_is_refused(workspace: Workspace, dist: Path) -> None:
    build(workspace.package("shelf"), dist)
    workspace.edit(f"{SHELF}/pyproject.toml", "0.3.1", "0.3.2")

    (problem,) = artifact_problems(workspace.package("shelf"), dist)

    assert "idolchat_shelf-0.3.2-py3-none-any.whl and idolchat_shelf-0.3.2.tar.gz was not built" in problem


def test_a_package_that_cannot_be_built_says_why(workspace: Workspace, dist: Path) -> None:
    (workspace.root / SHELF / "README.md").unlink()

    with pytest.raises(CannotBuild, match=r"README\.md"):
        build(workspace.package("shelf"), dist)
