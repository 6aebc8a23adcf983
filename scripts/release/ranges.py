"""The ranges by which the packages of a workspace require each other."""

from collections.abc import Iterator, Mapping

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from scripts.release.changelog import parts_of
from scripts.release.workspace import Package

__all__ = ["range_problems"]


def range_problems(package: Package, packages: Mapping[str, Package]) -> Iterator[str]:
    """Yield what is wrong between a package, those that require it, and those of ours that it requires."""
    for other in packages.values():
        for text, requirement in other.requirements().items():
            if requirement.name == package.name != other.name and not _allows(requirement, package.version):
                yield _shut_out(text, by=other, wanted=package)
    for text, requirement in package.requirements().items():
        required = packages.get(requirement.name)
        if required is not None and required is not package:
            yield from _own_problems(text, requirement, package, required)


def _own_problems(text: str, requirement: Requirement, package: Package, required: Package) -> Iterator[str]:
    if not _allows(requirement, required.version):
        yield _shut_out(text, by=package, wanted=required)
        return
    says = f'{package.where("pyproject.toml")} requires "{text}"'
    lowest = _lower_bound(requirement.specifier)
    if lowest is None or lowest.release[:2] < Version(required.version).release[:2]:
        yield (
            f"{says}, but of {required.name} only {required.version} of this workspace is tested with it:"
            f' write "{required.name}{_series(required.version)}"'
        )
    released = [part.version for part in parts_of(required) if part.version and part.date]
    if not any(_allows(requirement, version) for version in released):
        yield f"{says}, and no such {required.name} is released: release {required.name} first"


def _shut_out(text: str, *, by: Package, wanted: Package) -> str:
    return (
        f'{by.where("pyproject.toml")} requires "{text}", which leaves {wanted.name} {wanted.version} of this workspace'
        f' out: write "{wanted.name}{_series(wanted.version)}", and test it'
    )


def _allows(requirement: Requirement, version: str) -> bool:
    return requirement.specifier.contains(version, prereleases=True)


def _lower_bound(specifier: SpecifierSet) -> Version | None:
    bounds = [Version(one.version) for one in specifier if one.operator in (">=", ">", "==", "~=")]
    return max(bounds, default=None)


def _series(version: str) -> str:
    """Write the range of a version's series: before 1.0 the second number tells of what breaks."""
    major, minor, *_ = (*Version(version).release, 0)
    return f">={major}.{minor},<{major + 1}" if major else f">=0.{minor},<0.{minor + 1}"
