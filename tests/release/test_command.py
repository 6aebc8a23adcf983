"""The command releases nothing, and says whether it may be done."""

import subprocess
import sys
from pathlib import Path

from tests.release.conftest import ROOT, Workspace


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.release", "--root", str(root), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_what_may_be_released_is_built_with_its_notes(workspace: Workspace, tmp_path: Path) -> None:
    done = run(workspace.root, "idolchat-shelf-v0.3.1", "--out", str(tmp_path / "dist"))

    assert done.stdout == "idolchat-shelf 0.3.1 may be released: tag it idolchat-shelf-v0.3.1\n"
    assert {file.name for file in (tmp_path / "dist").iterdir()} == {
        "idolchat_shelf-0.3.1-py3-none-any.whl",
        "idolchat_shelf-0.3.1.tar.gz",
        "notes.md",
    }
    assert (tmp_path / "dist" / "notes.md").read_text() == "- It is kept.\n"


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_built(workspace: Workspace, tmp_path: Path) -> None:
    workspace.edit("packages/shelf/CHANGELOG.md", "2026-05-04", "Unreleased")
    workspace.edit("packages/core/pyproject.toml", "0.3.1", "0.4.0")
    (workspace.root / "packages" / "shelf" / "src" / "idolchat_shelf" / "py.typed").unlink()

    done = run(workspace.root, "idolchat-shelf-v0.3.2", "--out", str(tmp_path / "dist"))

    assert done.returncode == 1
    assert done.stderr.startswith("idolchat-shelf 0.3.1 may not be released yet:\n")
    for said in ("the tag says 0.3.2", "## [0.3.1] - Unreleased", "leaves idolchat-core 0.4.0", "py.typed"):
        assert said in done.stderr
    assert not (tmp_path / "dist").exists()


def test_an_unknown_distribution_is_told_which_there_are(workspace: Workspace) -> None:
    done = run(workspace.root, "idolchat-drawer")

    assert done.returncode == 2
    assert "no distribution named 'idolchat-drawer'; there are idolchat-core, idolchat-shelf" in done.stderr
