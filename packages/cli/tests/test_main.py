"""What every command line owes its users."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
import typer

import idolchat_cli
from idolchat_cli.commands import COMMANDS
from idolchat_cli.lazy import LazyGroup
from idolchat_cli.main import app

if TYPE_CHECKING:
    from conftest import Installation


def every_command(group: Any, *names: str) -> Iterator[tuple[str, str, Any]]:
    """Return each command of ours: its words, what the list says of it, itself."""
    commands = group.lazy if isinstance(group, LazyGroup) else {}
    for name, lazy in commands.items():
        command = group.load(name)
        yield " ".join([*names, name]), lazy.help, command
        yield from every_command(command, *names, name)


EVERY = list(every_command(typer.main.get_command(app)))


def test_version_is_the_distributions(installation: Installation) -> None:
    done = installation.execute("--version")

    assert (done.returncode, done.stdout) == (0, f"idol {version('idolchat-cli')}\n")
    assert idolchat_cli.__version__ == version("idolchat-cli")


def test_it_runs_as_a_module_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "idolchat_cli", "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout == f"idol {version('idolchat-cli')}\n"


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command_with_examples(installation: Installation, flag: str) -> None:
    done = installation.execute(flag)

    assert done.returncode == 0
    assert all(f"  {command} " in done.stdout for command in COMMANDS)
    assert "Examples:\n    idol serve " in done.stdout


@pytest.mark.parametrize("words", ["serve", "plugins", "plugins info"])
def test_help_of_a_command_is_its_own(installation: Installation, words: str) -> None:
    done = installation.run(*words.split(), "--help")

    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: idol {words} ")
    assert f"Examples:\n    idol {words}" in done.stdout


@pytest.mark.parametrize(("words", "listed", "command"), EVERY, ids=[words for words, _, _ in EVERY])
def test_every_command_says_what_it_does_and_has_an_example(words: str, listed: str, command: Any) -> None:
    text = inspect.cleandoc(command.help or "")

    assert text.splitlines()[0] == listed
    assert command.epilog.splitlines()[:2] == ["\b", "Examples:"]
    assert f"idol {words}" in command.epilog


@pytest.mark.parametrize("arguments", [["sevre"], ["chat", "--colour"], ["chat", "--conversation", "12"]])
def test_wrong_usage_ends_with_2_and_the_way_to_help(installation: Installation, arguments: list[str]) -> None:
    done = installation.run(*arguments)

    assert done.returncode == 2
    assert "--help' for help" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["keys", "create", "--name", "caf\udce9"], "name"),
        (["users", "erase", "caf\udce9", "--yes"], "user"),
        (["keys", "revoke", "a", "caf\udce9"], "keys"),
    ],
)
def test_text_that_is_no_utf8_is_wrong_usage(installation: Installation, arguments: list[str], name: str) -> None:
    done = installation.execute(*arguments)

    assert done.returncode == 2
    assert f"Error: Invalid value for {name}: from character 4 on it is no UTF-8" in done.stderr


def test_a_misspelt_command_is_told_its_name(installation: Installation) -> None:
    assert "Did you mean 'doctor'?" in installation.run("docter").stderr


def test_without_a_command_there_is_help(installation: Installation) -> None:
    done = installation.run()

    assert done.returncode == 2
    assert "Commands:" in done.stdout + done.stderr


def test_a_wrong_setting_is_one_message_that_names_it(installation: Installation) -> None:
    done = installation.run("chat", stdin="Hello", IDOLCHAT_CONTEXT_LENGTH="many")

    assert done.returncode == 1
    assert done.stderr.startswith("Error: IDOLCHAT_CONTEXT_LENGTH ")
    assert done.stderr.count("\n") == 1


BREAKING = """
from idolchat_core import hookimpl

def open_breaking():
    raise RuntimeError("a fault of somebody's plugin")

@hookimpl
def idolchat_register_storages(registry):
    registry.add("breaking", open_breaking)
"""


def test_a_traceback_is_shown_with_debug_alone(installation: Installation) -> None:
    installation.install("idol-breaking", "1.0.0", breaking="breaking")
    (installation.site / "breaking.py").write_text(BREAKING)
    env = {"IDOLCHAT_PLUGINS": "test-parts,breaking", "IDOLCHAT_STORAGE": "breaking"}
    plain, debug = (installation.run(*way, "chat", stdin="Hi", **env) for way in ([], ["--debug"]))

    assert (plain.returncode, debug.returncode) == (1, 1)
    assert "Traceback" not in plain.stderr
    assert "idol --debug chat" in plain.stderr
    assert "Traceback" in debug.stderr


def test_a_dotenv_file_that_is_no_text_is_named(installation: Installation) -> None:
    (installation.folder / ".env").write_bytes(b"IDOLCHAT_MODEL=\xff\n")
    done = installation.run("plugins")

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert ".env" in done.stderr


def test_help_imports_neither_core_nor_rich() -> None:
    code = "import sys, idolchat_cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"rich", "pydantic", "idolchat_core", "prompt_toolkit", "importlib.metadata"} & set(loaded)


@pytest.mark.parametrize(
    ("words", "position", "offered"), [("idol do", 1, "doctor"), ("idol chat --conv", 2, "--conversation")]
)
def test_the_shell_completes_commands_and_options(
    installation: Installation, words: str, position: int, offered: str
) -> None:
    done = installation.run(_IDOL_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(position))

    assert done.stdout.split() == [offered]


def test_completion_can_be_installed(installation: Installation) -> None:
    # Typer looks for the shell that it is called from, and a test may be called from any.
    done = installation.execute("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")

    assert "_IDOL_COMPLETE=complete_bash" in done.stdout
