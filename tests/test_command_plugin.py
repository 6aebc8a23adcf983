"""The example of a plugin that adds a command does so, in an ``idol`` beside a store with conversations."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "command-words"
IDOL = Path(sys.executable).with_name("idol")
DOCUMENT = """\
{"id":"0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55","created_at":"2026-01-01T10:00:00Z","user_id":null,"character_id":null,"messages":[
{"id":"1","role":"user","content":"Sing me a song.","timestamp":"2026-01-01T10:00:00Z"},
{"id":"2","role":"assistant","content":"La la la, la la.","timestamp":"2026-01-01T10:00:01Z"}
],"updated_at":"2026-01-01T10:00:01Z"}"""


def test_the_example_adds_a_command(tmp_path: Path) -> None:
    stored = tmp_path / "data" / "conversations" / "55"
    stored.mkdir(parents=True)
    (stored / "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55.json").write_text(DOCUMENT)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": f"{installed(tmp_path)}:{EXAMPLE / 'src'}"}

    listed = run(tmp_path, env, "--help")
    counted = run(tmp_path, env, "words", "--json")

    assert ["words", "Count the words of each conversation."] in [
        line.split(maxsplit=1) for line in listed.splitlines()
    ]
    assert json.loads(counted) == [{"id": "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55", "asked": 4, "answered": 5}]


def run(folder: Path, env: dict[str, str], *arguments: str) -> str:
    return subprocess.run([IDOL, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


def installed(folder: Path) -> Path:
    """Lay down the metadata that pip would make of the example's own."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = folder / "site" / "idolchat_words-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = [f"{name} = {value}" for name, value in project["entry-points"]["idolchat"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[idolchat]", *points, ""]))
    return info.parent
