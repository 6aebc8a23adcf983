"""The changelog of a package: its parts, and whether the topmost one is that of the version."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from packaging.version import InvalidVersion, Version

from scripts.release.workspace import Package

__all__ = ["Part", "changelog_problems", "parts_of"]

_HEADING = re.compile(r"^## (?P<text>.*)$", re.MULTILINE)
_PART = re.compile(r"\[(?P<version>[^]]+)\] - (?P<date>\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What changed in a version. ``date`` is None for one that is not released; both are None for another heading."""

    heading: str
    text: str
    version: str | None
    date: date | None


def parts_of(package: Package) -> list[Part]:
    """Read the parts of a changelog, from top to bottom; none where there is no changelog."""
    file = package.folder / "CHANGELOG.md"
    text = file.read_text() if file.exists() else ""
    headings = list(_HEADING.finditer(text))
    ends = [*(heading.start() for heading in headings), len(text)][1:]
    return [_part(one["text"], text[one.end() : end].strip()) for one, end in zip(headings, ends, strict=True)]


def _part(heading: str, text: str) -> Part:
    match = _PART.fullmatch(heading)
    return Part(
        heading=heading,
        text=text,
        version=match["version"] if match else None,
        date=_day(match["date"]) if match else None,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def changelog_problems(package: Package, *, today: date) -> Iterator[str]:
    """Yield what keeps version and changelog from being those of a release."""
    yield from _version_problems(package)
    where, heading = package.where("CHANGELOG.md"), f"## [{package.version}] - {today}"
    parts = parts_of(package)
    if not parts:
        yield f'{where} has no part: write "{heading}" and what changed'
        return
    top = parts[0]
    if top.version != package.version or top.date is None:
        yield f'{where} begins with "## {top.heading}": write "{heading}", or set the version to that of the changelog'
    elif top.date > today:
        yield f'{where} says {top.date}, which is to come: write "{heading}"'
    if not any(line.startswith("- ") for line in top.text.splitlines()):
        yield f'{where}: the part "## {top.heading}" says nothing; write a line for each change that users will see'


def _version_problems(package: Package) -> Iterator[str]:
    where = package.where("pyproject.toml")
    try:
        version = Version(package.version)
    except InvalidVersion:
        yield f'{where}: version = "{package.version}" is not a version; write one like "0.3.1"'
        return
    if str(version) != package.version:
        yield f'{where}: version = "{package.version}" has another normal form; write "{version}"'
