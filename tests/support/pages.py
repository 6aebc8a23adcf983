"""Code blocks of README and documentation, and how they are run."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.server import Server

__all__ = ["ROOT", "Block", "blocks", "pages", "run"]

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
PATIENCE_S = 120


@dataclass(frozen=True)
class Block:
    """A code block of a page; the page is named as seen from the root of the repository."""

    page: str
    language: str
    text: str

    @property
    def begins(self) -> str:
        """Its first line that is no comment."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        return next((line for line in lines if not line.startswith("# ")), lines[0])


def pages() -> list[str]:
    """Name README and every page of the documentation that is written by hand."""
    made = {file.with_suffix(".md") for file in (ROOT / "docs").glob("*.py")}
    written = sorted(file for file in (ROOT / "docs").rglob("*.md") if file not in made)
    return ["README.md", *(str(file.relative_to(ROOT)) for file in written)]


def blocks(page: str, language: str | None = None) -> list[Block]:
    """Read the code blocks of a page, of all languages or of one, from top to bottom."""
    found = BLOCK.finditer((ROOT / page).read_text())
    read = [Block(page, one["language"], one["text"]) for one in found]
    return [block for block in read if language in (None, block.language)]


def run(server: Server, *scripts: str, **variables: str) -> str:
    """Run what pages say in the folder of a server, as one script, and return what it printed; an error raises.

    The address of the pages stands for that of the server.
    """
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join(scripts).replace("http://127.0.0.1:8000", server.url)],
        cwd=server.folder,
        env={**server.full_environment(), "PATH": path, "HOME": str(server.folder), **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
