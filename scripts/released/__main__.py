"""Test plugins with cores of other versions, each built from the tag of its release.

The last release of each plugin is tested, by its own tests, with the core that stands here; each plugin that stands
here, with the lowest released core that it allows. All else of ours that they need is what stands here.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from scripts.release.workspace import Package, packages_of
from scripts.released.pair import CORE, Pair
from scripts.released.tags import releases_of

__all__ = ["pairs_of"]


def main() -> None:
    """Test all pairs: status 0, or 1 with those that fail."""
    parser = argparse.ArgumentParser(prog="nox -s released --", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the folder of the workspace, a git repository")
    root = parser.parse_args().root.resolve()
    pairs = list(pairs_of(packages_of(root), releases_of(root)))
    if not pairs:
        sys.stdout.write(f"nothing is released yet: there is no tag such as {CORE}-v0.1.0\n")
    failed = [str(pair) for pair in pairs if not pair.passes(root)]
    if failed:
        sys.exit("".join(f"fails: {pair}\n" for pair in failed))


def pairs_of(packages: dict[str, Package], releases: dict[str, list[Version]]) -> Iterator[Pair]:
    """Yield what is to be tested with what."""
    for name, package in packages.items():
        wanted = _core_of(package)
        if wanted is None:
            continue
        if name in releases:
            yield Pair(package=package, released=releases[name][-1])
        allowed = [one for one in releases.get(CORE, ()) if wanted.specifier.contains(one, prereleases=True)]
        if allowed:
            yield Pair(package=package, core=allowed[0])


def _core_of(package: Package) -> Requirement | None:
    found = [one for one in package.requirements().values() if one.name == CORE]
    return found[0] if found else None


if __name__ == "__main__":
    main()
