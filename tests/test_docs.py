"""What the docs say is what the code does."""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ["configuration", "cli", "errors", "events", "routes"])
def test_a_page_that_is_made_from_the_code_is_current(name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    written = (DOCS / f"{name}.md").read_text()
    assert written == module.page(), f"run: python -m docs.{name} > docs/{name}.md"


def test_the_site_names_every_page_once() -> None:
    site = tomllib.loads((DOCS.parent / "zensical.toml").read_text())["project"]

    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        inside = entry.values() if isinstance(entry, dict) else entry
        assert isinstance(inside, Iterable)
        return [page for one in inside for page in pages(one)]

    assert sorted(pages(site["nav"])) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def test_a_page_beside_the_documentation_links_to_what_is_there() -> None:
    root = DOCS.parent
    pages = [*root.glob("*.md"), *root.glob("packages/*/*.md"), *root.glob("examples/*/*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]

    assert len(links) > 50
    assert [(str(page), link) for page, link in links if not (page.parent / link).exists()] == []


EXAMPLES = DOCS.parent / "examples"
SHOWN = [
    "change-observer/src/idolchat_activity",
    "character-directory/src/idolchat_cast",
    "prompt-source/src/idolchat_absence",
    "route-page/src/idolchat_notes",
]
"""Examples that the page on plugins shows word for word."""


@pytest.mark.parametrize("example", SHOWN)
def test_an_example_is_shown_word_for_word(example: str) -> None:
    shown = re.findall(r"```python\n(.*?)```", (DOCS / "plugins.md").read_text(), re.DOTALL)

    assert [path.name for path in (EXAMPLES / example).glob("*.py") if path.read_text() not in shown] == []


@pytest.mark.parametrize("example", SHOWN)
def test_an_example_has_under_80_lines(example: str) -> None:
    sources = [path for path in (EXAMPLES / example).rglob("*.*") if path.suffix != ".pyc"]

    assert sum(len(path.read_text().splitlines()) for path in sources) < 80


@pytest.fixture
def pasted(tmp_path: Path) -> Path:
    """An empty folder, into which each snippet went that names its file in the first line."""
    page = (DOCS / "plugins.md").read_text()
    for name, text in re.findall(r"```(?:python|toml)\n# ([\w.]+)\n(.*?)```", page, re.DOTALL):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_kit_is_used_as_the_page_shows_it(pasted: Path) -> None:
    sources = os.pathsep.join([str(pasted), str(DOCS.parent / "examples" / "storage-sqlite" / "src")])
    env = {**os.environ, "PYTHONPATH": sources, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x", "."]
    done = subprocess.run(command, cwd=pasted, env=env, capture_output=True, text=True, timeout=300, check=False)

    assert {path.name for path in pasted.glob("test_*.py")} == {"test_sqlite_storage.py"}
    assert done.returncode == 0, done.stdout[-3000:]
    assert "passed" in done.stdout


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that the page's scheme reads."""
    user = "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55"
    (tmp_path / "tokens.json").write_text(json.dumps({hashlib.sha256(b"letmein").hexdigest(): user}))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("tokens")
async def test_the_scheme_of_the_security_page_lets_its_users_in(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "security.md").read_text(), re.DOTALL)
    scheme = ModuleType("token_file")
    exec(code, vars(scheme))  # noqa: S102  our own page
    settings = ApiSettings(data_dir=tmp_path / "data", auth="token-file", plugins=())
    parts = Parts(InMemoryStorage(), ScriptedProvider())

    async with serving(settings, plugins=[scheme, parts]) as url, httpx.AsyncClient(base_url=url) as client:
        statuses = [
            (await client.get("/conversations", headers={"Authorization": f"Bearer {token}"})).status_code
            for token in ("letmein", "letmeout")
        ]

    assert statuses == [200, 401]
