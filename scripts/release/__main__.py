"""Check that a package may be released, and put what was built and checked into a folder.

``python -m scripts.release idolchat-core``, or with the tag, ``idolchat-core-v0.3.1``, whose version counts as well.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from scripts.release.artifacts import CannotBuild, artifact_problems, build
from scripts.release.changelog import changelog_problems, parts_of
from scripts.release.locks import lock_problems
from scripts.release.ranges import range_problems
from scripts.release.workspace import Package, packages_of

_WHICH = re.compile(r"(?P<name>[a-z0-9-]+?)(?:-v(?P<version>\d.*))?")


def main() -> None:
    """Release nothing, but say whether it may be: status 0, or 1 with what to write, or 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="nox -s release --", description=__doc__)
    parser.add_argument("which", metavar="DISTRIBUTION", help="a distribution, or the tag of its release")
    parser.add_argument("--root", type=Path, default=Path(), help="the folder of the workspace")
    parser.add_argument("--out", type=Path, help="where wheel, sdist and notes.md go if all is well")
    arguments = parser.parse_args()
    packages = packages_of(arguments.root.resolve())
    match = _WHICH.fullmatch(arguments.which)
    package = packages.get(match["name"]) if match else None
    if match is None or package is None:
        parser.error(f"no distribution named {arguments.which!r}; there are {', '.join(packages)}")
    with tempfile.TemporaryDirectory() as folder:
        problems = list(_problems(package, packages, tagged=match["version"], built=Path(folder)))
        if problems:
            _refuse(package, problems)
        if arguments.out is not None:
            _keep(package, Path(folder), arguments.out)
    sys.stdout.write(f"{package.name} {package.version} may be released: tag it {package.name}-v{package.version}\n")


def _problems(package: Package, packages: Mapping[str, Package], *, tagged: str | None, built: Path) -> Iterator[str]:
    if tagged is not None and tagged != package.version:
        yield (
            f"the tag says {tagged}, and {package.where('pyproject.toml')} {package.version}:"
            f" tag it {package.name}-v{package.version}"
        )
    yield from changelog_problems(package, today=datetime.now(UTC).date())
    yield from range_problems(package, packages)
    yield from lock_problems(package.folder.parents[1])
    try:
        build(package, built)
    except CannotBuild as error:
        yield f"{package.name} cannot be built: {error}"
    else:
        yield from artifact_problems(package, built)


def _refuse(package: Package, problems: list[str]) -> None:
    lines = "".join(f"- {problem}\n" for problem in problems)
    sys.exit(f"{package.name} {package.version} may not be released yet:\n{lines}")


def _keep(package: Package, built: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for file in built.glob(f"{package.file_stem}-*"):
        (out / file.name).write_bytes(file.read_bytes())
    (out / "notes.md").write_text(f"{parts_of(package)[0].text}\n")


if __name__ == "__main__":
    main()
