"""A version is released when the changelog says what is in it, and since when."""

from datetime import date

import pytest
from scripts.release.changelog import changelog_problems

from tests.release.conftest import Workspace

TODAY = date(2026, 6, 1)
TOP = "## [0.3.1] - 2026-05-04"
CORE = "packages/core"


def problems(workspace: Workspace) -> list[str]:
    return list(changelog_problems(workspace.package("core"), today=TODAY))


def test_a_dated_part_of_the_version_is_all_right(workspace: Workspace) -> None:
    assert problems(workspace) == []


@pytest.mark.parametrize(
    "heading", ["## [0.3.1] - Unreleased", "## [Unreleased]", "## [0.3.2] - 2026-05-04", "## 0.3.1", "## [0.3.1] - May"]
)
def test_another_topmost_part_is_refused_and_the_right_heading_is_said(workspace: Workspace, heading: str) -> None:
    workspace.edit(f"{CORE}/CHANGELOG.md", TOP, heading)

    (problem,) = problems(workspace)

    assert f'packages/core/CHANGELOG.md begins with "{heading}"' in problem
    assert 'write "## [0.3.1] - 2026-06-01"' in problem


def test_a_day_to_come_is_refused(workspace: Workspace) -> None:
    workspace.edit(f"{CORE}/CHANGELOG.md", "2026-05-04", "2026-06-02")

    assert "says 2026-06-02, which is to come" in problems(workspace)[0]


def test_a_part_without_a_line_is_refused(workspace: Workspace) -> None:
    workspace.edit(f"{CORE}/CHANGELOG.md", "- It is kept.", "### Added")

    assert "says nothing; write a line for each change" in problems(workspace)[0]


def test_a_missing_changelog_is_refused(workspace: Workspace) -> None:
    (workspace.root / CORE / "CHANGELOG.md").unlink()

    assert 'has no part: write "## [0.3.1] - 2026-06-01"' in problems(workspace)[0]


@pytest.mark.parametrize(
    ("version", "said"), [("0.3.01", 'another normal form; write "0.3.1"'), ("new", 'write one like "0.3.1"')]
)
def test_a_version_in_another_form_is_refused(workspace: Workspace, version: str, said: str) -> None:
    workspace.edit(f"{CORE}/pyproject.toml", 'version = "0.3.1"', f'version = "{version}"')

    assert said in problems(workspace)[0]
