"""The wheel and the sdist of a package, and whether they hold what the package says."""

import configparser
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from pathlib import Path

import uv
from packaging.requirements import Requirement

from scripts.release.workspace import Package

__all__ = ["CannotBuild", "artifact_problems", "build"]


class CannotBuild(Exception):
    """The build failed; the text is what it printed."""


def build(package: Package, folder: Path) -> None:
    """Build wheel and sdist into a folder. Raises ``CannotBuild``."""
    chosen = ["--package", package.name, "--python", sys.executable, "--out-dir", str(folder)]
    command = [uv.find_uv_bin(), "build", "--quiet", *chosen]
    done = subprocess.run(command, cwd=package.folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBuild(done.stderr.strip())


def artifact_problems(package: Package, folder: Path) -> Iterator[str]:
    """Yield where the files in a folder are not the package's wheel and sdist, or say or hold something else."""
    stem = f"{package.file_stem}-{package.version}"
    wheel, sdist = folder / f"{stem}-py3-none-any.whl", folder / f"{stem}.tar.gz"
    if missing := [file.name for file in (wheel, sdist) if not file.exists()]:
        built = ", ".join(sorted(file.name for file in folder.iterdir() if not file.name.startswith(".")))
        yield f"{' and '.join(missing)} was not built, but {built}: name the import package {package.file_stem}"
        return
    in_wheel = _wheel_files(wheel)
    in_sdist = {name.removeprefix(f"{stem}/"): data for name, data in _sdist_files(sdist).items()}
    about = f"{stem}.dist-info/"
    metadata = in_wheel[f"{about}METADATA"]
    if metadata != in_sdist["PKG-INFO"]:
        yield f"METADATA in {wheel.name} and PKG-INFO in {sdist.name} differ: remove what makes the build dynamic"
    yield from _metadata_problems(package, metadata)
    yield from _source_problems(package, {wheel.name: in_wheel, sdist.name: _below_src(in_sdist)})
    yield from _licence_problems(package, in_wheel, f"{about}licenses/", in_sdist)
    yield from _entry_point_problems(package, in_wheel, in_wheel.get(f"{about}entry_points.txt", b"").decode())


def _wheel_files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def _sdist_files(sdist: Path) -> dict[str, bytes]:
    with tarfile.open(sdist) as archive:
        opened = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {name: file.read() for name, file in opened.items() if file is not None}


def _below_src(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name.removeprefix("src/"): data for name, data in files.items() if name.startswith("src/")}


def _metadata_problems(package: Package, text: bytes) -> Iterator[str]:
    """Compare what the index shows with ``pyproject.toml`` and ``README.md``."""
    project, metadata = package.project, message_from_bytes(text)
    one = {
        "Name": package.name,
        "Version": package.version,
        "Summary": project.get("description"),
        "Requires-Python": project.get("requires-python"),
        "License-Expression": project.get("license"),
    }
    for field, wanted in one.items():
        if not wanted or metadata[field] != wanted:
            yield _differs(package, field, metadata[field], wanted)
    many = {
        "License-File": set(project.get("license-files", ())),
        "Classifier": set(project.get("classifiers", ())),
        "Requires-Dist": {str(requirement) for requirement in map(Requirement, project.get("dependencies", ()))},
        "Provides-Extra": set(project.get("optional-dependencies", ())),
    }
    for field, among in many.items():
        texts = metadata.get_all(field, [])
        said = _always_required(texts) if field == "Requires-Dist" else set(texts)
        if said != among:
            yield _differs(package, field, sorted(said), sorted(among))
    if text.partition(b"\n\n")[2].strip() != (package.folder / "README.md").read_bytes().strip():
        yield f'{package.where("pyproject.toml")}: the description is not README.md; write readme = "README.md"'


def _always_required(texts: list[str]) -> set[str]:
    """Leave out what extras require."""
    return {str(Requirement(text)) for text in texts if "extra ==" not in text}


def _differs(package: Package, field: str, built: object, written: object) -> str:
    return f"{field} was built as {built}, and {package.where('pyproject.toml')} says {written}: write it there"


def _source_problems(package: Package, built: Mapping[str, Mapping[str, bytes]]) -> Iterator[str]:
    """Compare all files of the import package, data files included, with what was built."""
    root = package.source.parent
    files = {str(file.relative_to(root)): file for file in package.source.rglob("*") if _is_source(file)}
    marker = f"{package.file_stem}/py.typed"
    if marker not in files:
        yield f"{package.where(f'src/{marker}')} is missing: create it, empty"
    for archive, held in built.items():
        for name in sorted(files.keys() - held.keys()):
            yield f"{archive} lacks {name}: do not exclude it, or remove {package.where(f'src/{name}')}"
        for name in sorted(name for name in held if name.startswith(f"{package.file_stem}/") and name not in files):
            yield f"{archive} holds {name}, which is not in the sources"
        for name in sorted(name for name in files.keys() & held.keys() if files[name].read_bytes() != held[name]):
            yield f"{archive} has another {name} than the sources"


def _is_source(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts


def _licence_problems(
    package: Package, wheel: Mapping[str, bytes], folder: str, sdist: Mapping[str, bytes]
) -> Iterator[str]:
    names = package.project.get("license-files", [])
    if not names:
        yield f'{package.where("pyproject.toml")} names no licence: write license-files = ["LICENSE"]'
    for name in names:
        file = package.folder / name
        text = file.read_bytes() if file.exists() else None
        if text is None or wheel.get(f"{folder}{name}") != text or sdist.get(name) != text:
            yield f"{package.where(name)} is not in wheel and sdist as it is: license-files takes names of files"


def _entry_point_problems(package: Package, wheel: Mapping[str, bytes], text: str) -> Iterator[str]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]  # names keep their case
    parser.read_string(text)
    built = {group: dict(parser[group]) for group in parser.sections()}
    groups = package.project.get("entry-points", {}) | {"console_scripts": package.project.get("scripts", {})}
    written = {group: points for group, points in groups.items() if points}
    if built != written:
        yield _differs(package, "entry points", built, written)
    for group, points in written.items():
        for name, target in points.items():
            module = target.partition(":")[0].replace(".", "/")
            if f"{module}.py" not in wheel and f"{module}/__init__.py" not in wheel:
                yield (
                    f'{package.where("pyproject.toml")}: {group}, {name} = "{target}" is no module of the package:'
                    " write the path of one"
                )
