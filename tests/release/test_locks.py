"""The lock files of a release are those that follow from what the packages declare."""

import pytest
from scripts.release.locks import lock_problems

from tests.release.conftest import Workspace


def test_lock_files_that_follow_are_all_right(workspace: Workspace) -> None:
    assert list(lock_problems(workspace.root)) == []


def test_a_lock_file_that_does_not_follow_is_named_and_left_as_it_was(workspace: Workspace) -> None:
    workspace.edit("requirements-lowest.lock", "make lock", "make lock\nleft-over==1.0")

    (problem,) = lock_problems(workspace.root)

    assert problem.startswith(
        "requirements-lowest.lock no longer follows from the pyproject.toml files: run `make lock`"
    )
    assert "left-over==1.0" in (workspace.root / "requirements-lowest.lock").read_text()


def test_lock_files_that_cannot_be_made_are_not_taken_for_current(workspace: Workspace) -> None:
    workspace.edit("packages/shelf/pyproject.toml", "test = []", "trials = []")

    (problem,) = lock_problems(workspace.root)

    assert problem.startswith("the lock files cannot be made, so that nobody knows whether they are current: ")
    assert "test" in problem


def test_the_arguments_of_the_make_that_asks_are_not_for_uv(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKEFLAGS", " -- ARGS=-s\\ release")

    assert list(lock_problems(workspace.root)) == []


def test_no_lock_file_is_refused(workspace: Workspace) -> None:
    for file in workspace.root.glob("*.lock"):
        file.unlink()

    assert list(lock_problems(workspace.root)) == ["there is no lock file: run `make lock` and commit what it writes"]
