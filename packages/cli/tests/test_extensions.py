"""Plugins add commands to ``idol``, and none of them can take away those that it has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation

GREETING = """
import os
from idolchat_core import hookimpl

if os.environ.get("TELL_IMPORTS"):
    print("imported")

@hookimpl(optionalhook=True)
def idolchat_register_commands(registry):
    registry.add("NAME", "greeting_command:commands", help="Greet somebody.")
"""
COMMAND = """
import typer

commands = typer.Typer()

@commands.command()
def hello(name: str):
    print("Hello,", name)

@commands.command()
def bye(fault: bool = False):
    print("Bye", 1 // (not fault))
"""


@pytest.fixture
def greeting(installation: Installation) -> Installation:
    """Install a plugin with a group of commands, beside that of the tests."""
    install(installation, "idol-greeting", "1.0", greeting="greet")
    (installation.site / "greeting_command.py").write_text(COMMAND)
    return installation


def install(installation: Installation, distribution: str, version: str, **commands: str) -> None:
    """Install a plugin that adds a command; a keyword is its module, and the value what the command is called."""
    for module, command in commands.items():
        (installation.site).mkdir(exist_ok=True)
        (installation.site / f"{module}.py").write_text(GREETING.replace("NAME", command))
    installation.install(distribution, version, **{module: module for module in commands})
    installation.env["IDOLCHAT_PLUGINS"] = ",".join([installation.env["IDOLCHAT_PLUGINS"], *commands])


def test_a_command_of_a_plugin_is_listed_and_runs(greeting: Installation) -> None:
    listed = greeting.execute("--help")

    assert ["greet", "Greet somebody."] in [line.split(maxsplit=1) for line in listed.stdout.splitlines()]
    assert not listed.stderr
    assert "hello" in greeting.run("greet", "--help").stdout
    assert greeting.execute("greet", "hello", "Mika").stdout == "Hello, Mika\n"


def test_what_a_command_of_a_plugin_does_wrong_is_told_as_of_ours(greeting: Installation) -> None:
    done = greeting.run("greet", "bye", "--fault")

    assert done.returncode == 1
    assert done.stderr.startswith("Error: unexpected ZeroDivisionError")
    assert "Traceback" not in done.stderr


def test_a_name_that_is_taken_is_an_error_that_names_both(greeting: Installation) -> None:
    install(greeting, "idol-other", "2.0", other="greet")
    install(greeting, "idol-third", "3.0", third="serve")
    done = greeting.run("--help")
    listed = greeting.run("plugins", "list")

    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "Warning: idol-other 2.0 registers the command 'greet', which idol-greeting 1.0 already has; uninstall one of"
        " them, or name the plugins to load in IDOLCHAT_PLUGINS",
        "Warning: idol-third 3.0 registers the command 'serve', which idolchat-cli already has; uninstall one of"
        " them, or name the plugins to load in IDOLCHAT_PLUGINS",
    ]
    assert listed.returncode == 1
    assert "command greet" in listed.stdout


def test_a_broken_plugin_costs_a_warning_and_no_command(greeting: Installation) -> None:
    (greeting.site / "broken.py").write_text("1 / 0\n")
    greeting.install("idol-broken", "0.9", broken="broken")
    greeting.env["IDOLCHAT_PLUGINS"] += ",broken"
    done = greeting.run("--help")

    assert done.returncode == 0
    assert "greet " in done.stdout
    assert done.stderr == (
        "Warning: the plugin idol-broken 0.9 cannot be imported: ZeroDivisionError('division by zero')\n"
    )
    assert greeting.run("greet", "hello", "Mika").stdout == "Hello, Mika\n"
    assert not greeting.run("chat", "--help").stderr


def test_plugins_are_imported_for_the_list_once(greeting: Installation) -> None:
    first, again = (greeting.run("--help", TELL_IMPORTS="yes") for _ in range(2))

    assert first.stdout.startswith("imported\n")
    assert first.stdout.removeprefix("imported\n") == again.stdout


def test_the_list_changes_with_what_is_installed_chosen_and_written(greeting: Installation) -> None:
    assert "greet " in greeting.run("--help").stdout
    install(greeting, "idol-other", "2.0", other="welcome")
    assert "welcome " in greeting.run("--help").stdout
    (greeting.site / "other.py").write_text(GREETING.replace("NAME", "farewell"))
    changed = greeting.run("--help").stdout
    assert "farewell " in changed
    assert "welcome " not in changed
    assert "greet " not in greeting.run("--help", IDOLCHAT_PLUGINS="test-parts").stdout


def test_a_cache_that_cannot_be_written_or_read_changes_nothing(greeting: Installation) -> None:
    cache = Path(greeting.folder, "cache")
    cache.write_text("no folder")
    assert "greet " in greeting.run("--help", XDG_CACHE_HOME=str(cache)).stdout

    assert "greet " in greeting.run("--help").stdout
    (kept,) = Path(greeting.folder).glob(".cache/idolchat/*")
    kept.write_bytes(os.urandom(64))
    assert "greet " in greeting.run("--help").stdout


def test_the_shell_completes_commands_of_plugins(greeting: Installation) -> None:
    done = greeting.run(_IDOL_COMPLETE="complete_bash", COMP_WORDS="idol gr", COMP_CWORD="1")

    assert done.stdout.split() == ["greet"]
