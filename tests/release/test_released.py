"""What is released is tested with what stands here, by the tags of a repository."""

import subprocess
import sys

import pytest

from tests.release.conftest import ROOT, Workspace

TEST = (
    "import idolchat_core\nimport idolchat_shelf\n\n\ndef test_it_is_kept() -> None:\n    assert idolchat_core.KEEP\n"
)


def git(workspace: Workspace, *arguments: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=workspace.root, check=True, capture_output=True)


@pytest.fixture
def tagged(workspace: Workspace) -> Workspace:
    """A repository in which core and plugin are released, and a test relies on a name of core."""
    workspace.write("packages/core/src/idolchat_core/__init__.py", "KEEP = True\n")
    workspace.write("packages/shelf/tests/test_shelf.py", TEST)
    workspace.edit("packages/shelf/pyproject.toml", "test = []", 'test = ["pytest>=8.4"]')
    workspace.write(".gitignore", ".tools/\n")
    git(workspace, "init", "--quiet")
    git(workspace, "add", "--all")
    git(workspace, "commit", "--quiet", "--message", "They are released")
    git(workspace, "tag", "idolchat-core-v0.3.1")
    git(workspace, "tag", "idolchat-shelf-v0.3.1")
    return workspace


def released(workspace: Workspace) -> tuple[int, str]:
    command = [sys.executable, "-m", "scripts.released", "--root", str(workspace.root)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_last_release_is_tested_with_the_core_of_here(tagged: Workspace) -> None:
    status, said = released(tagged)

    assert status == 0, said
    assert "idolchat-shelf 0.3.1 with idolchat-core of here" in said
    assert "idolchat-shelf of here with idolchat-core 0.3.1" in said
    assert said.count("1 passed") == 2


def test_a_core_that_breaks_what_is_released_is_found(tagged: Workspace) -> None:
    tagged.write("packages/core/src/idolchat_core/__init__.py", "KEPT = True\n")
    status, said = released(tagged)

    assert status == 1
    assert "fails: idolchat-shelf 0.3.1 with idolchat-core of here" in said
    assert "fails: idolchat-shelf of here" not in said


def test_a_plugin_that_needs_more_than_the_lowest_core_it_allows_is_found(tagged: Workspace) -> None:
    tagged.write("packages/core/src/idolchat_core/__init__.py", "KEEP = MORE = True\n")
    tagged.write("packages/shelf/tests/test_shelf.py", TEST.replace("KEEP", "MORE"))
    status, said = released(tagged)

    assert status == 1
    assert "fails: idolchat-shelf of here with idolchat-core 0.3.1" in said


def test_a_release_that_leaves_the_core_of_here_out_is_no_failure(tagged: Workspace) -> None:
    tagged.edit("packages/core/pyproject.toml", '"0.3.1"', '"0.4.0"')
    tagged.edit("packages/shelf/pyproject.toml", "idolchat-core>=0.3,<0.4", "idolchat-core>=0.4,<0.5")
    status, said = released(tagged)

    assert status == 0, said
    assert "cannot be installed together, as their ranges say" in said


def test_without_a_tag_there_is_nothing_to_test(workspace: Workspace) -> None:
    git(workspace, "init", "--quiet")

    assert released(workspace) == (0, "nothing is released yet: there is no tag such as idolchat-core-v0.1.0\n")
