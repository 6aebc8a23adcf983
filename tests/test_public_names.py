"""What a plugin may import from core: ``__all__``, the docs and our own plugins agree."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import idolchat_core

ROOT = Path(__file__).parents[1]
MODULES_OF_THEIR_OWN = {"idolchat_core.search", "idolchat_core.testing"}
NOT_PLUGINS = {"core", "api", "cli"}
PLUGINS = sorted(
    [folder for folder in (ROOT / "packages").iterdir() if folder.name not in NOT_PLUGINS]
    + [folder for folder in (ROOT / "examples").iterdir() if folder.is_dir()]
)


def imports(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """List what the sources of a plugin import from core: file, module, name."""
    for path in folder.glob("src/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "idolchat_core":
                yield from ((path, str(node.module), alias.name) for alias in node.names)


def documented() -> set[str]:
    page = (ROOT / "docs" / "plugins.md").read_text()
    table = page.split("## What there is to import")[1].split("\n## ")[0]
    return set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| [^|]+ \|(.*)\|$", table, re.MULTILINE))))


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_imports_from_core_only_what_it_exports(plugin: Path) -> None:
    internal = [
        (str(path.relative_to(ROOT)), module, name)
        for path, module, name in imports(plugin)
        if module not in MODULES_OF_THEIR_OWN
        and (module, name) != ("idolchat_core", "search")
        and (module != "idolchat_core" or name not in idolchat_core.__all__)
    ]

    assert internal == []


def test_the_docs_list_every_name_that_core_exports() -> None:
    assert documented() - {"idolchat_core"} == set(idolchat_core.__all__)


def test_every_name_that_core_exports_can_be_imported() -> None:
    assert [name for name in idolchat_core.__all__ if not hasattr(idolchat_core, name)] == []
