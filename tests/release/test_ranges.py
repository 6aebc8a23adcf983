"""Packages of a workspace that are released can be installed together."""

import pytest
from scripts.release.ranges import range_problems

from tests.release.conftest import Workspace

RANGE = "idolchat-core>=0.3,<0.4"


def problems(workspace: Workspace, name: str) -> list[str]:
    return list(range_problems(workspace.package(name), workspace.packages()))


@pytest.mark.parametrize("name", ["core", "shelf"])
def test_ranges_that_allow_the_versions_of_the_workspace_are_all_right(workspace: Workspace, name: str) -> None:
    assert problems(workspace, name) == []


@pytest.mark.parametrize(("version", "series"), [("0.4.0", ">=0.4,<0.5"), ("2.1.0", ">=2.1,<3"), ("1.0", ">=1.0,<2")])
@pytest.mark.parametrize("released", ["core", "shelf"])
def test_a_range_that_shuts_a_version_out_is_refused_from_both_sides(
    workspace: Workspace, version: str, series: str, released: str
) -> None:
    workspace.edit("packages/core/pyproject.toml", "0.3.1", version)

    (problem,) = problems(workspace, released)

    assert f'packages/shelf/pyproject.toml requires "{RANGE}"' in problem
    assert f"leaves idolchat-core {version} of this workspace out" in problem
    assert f'write "idolchat-core{series}"' in problem


def test_the_ranges_of_extras_count(workspace: Workspace) -> None:
    extra = '\n[project.optional-dependencies]\nmore = ["idolchat-core<0.3"]\n'
    workspace.edit("packages/shelf/pyproject.toml", "\n[dependency-groups]", f"{extra}\n[dependency-groups]")

    assert 'requires "idolchat-core<0.3"' in problems(workspace, "core")[0]


def test_a_requirement_of_which_nothing_is_released_is_refused(workspace: Workspace) -> None:
    workspace.write("packages/core/CHANGELOG.md", "## [0.3.1] - Unreleased\n\n## [0.2.9] - 2026-01-01\n")

    (problem,) = problems(workspace, "shelf")

    assert problem.endswith("no such idolchat-core is released: release idolchat-core first")


@pytest.mark.parametrize("untested", ["idolchat-core>=0.2,<0.4", "idolchat-core<0.4", "idolchat-core"])
def test_a_range_that_begins_before_what_is_tested_is_refused(workspace: Workspace, untested: str) -> None:
    workspace.edit("packages/shelf/pyproject.toml", RANGE, untested)

    (problem,) = problems(workspace, "shelf")

    assert "of idolchat-core only 0.3.1 of this workspace is tested with it" in problem
    assert f'write "{RANGE}"' in problem
