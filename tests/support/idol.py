"""Run ``idol`` in a folder, as an operator would beside a server."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.storages import STORAGE_OF_TESTS

__all__ = ["idol", "idol_json", "idol_process", "install_example"]

IDOL = Path(sys.executable).with_name("idol")
ENDS_WITHIN_S = 600
"""So long no command takes that is to end: what serves in its place fails its test, and does not hold up all others."""
EXAMPLES = Path(__file__).parents[2] / "examples"


def idol(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    env = {**_environment(folder), **(environment or {})}
    command = [str(IDOL), *arguments]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=ENDS_WITHIN_S
    )


def idol_json(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None, status: int = 0) -> Any:
    """Run it with ``--json``, and give what it prints."""
    done = idol(folder, *arguments, "--json", environment=environment)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def idol_process(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start it, and read what it prints while it runs."""
    return subprocess.Popen([IDOL, *arguments], cwd=folder, env=_environment(folder), stdout=subprocess.PIPE, text=True)


def _environment(folder: Path) -> dict[str, str]:
    own = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return {**own, **STORAGE_OF_TESTS.variables(folder / "data")}


def install_example(folder: Path, name: str) -> str:
    """Lay down the metadata that pip would make of an example; give the PYTHONPATH that it is found by."""
    project = tomllib.loads((EXAMPLES / name / "pyproject.toml").read_text())["project"]
    info = folder / "site" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = [f"{point} = {value}" for point, value in project["entry-points"]["idolchat"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[idolchat]", *points, ""]))
    return f"{info.parent}{os.pathsep}{EXAMPLES / name / 'src'}"
