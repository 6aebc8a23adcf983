"""What is installed is listed, and what cannot be used says why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation

OF_THE_TESTS = {
    "name": "test-parts",
    "distribution": "idol-test-parts",
    "version": "1.2.3",
    "hooks": [
        "idolchat_register_character_directories",
        "idolchat_register_llm_providers",
        "idolchat_register_storages",
    ],
    "storages": ["folder"],
    "buses": [],
    "llm_providers": ["scripted"],
    "authenticators": [],
    "commands": [],
    "error": None,
}


def test_json_tells_what_each_plugin_adds(installation: Installation) -> None:
    done = installation.run("plugins", "--json")

    assert (done.returncode, json.loads(done.stdout)) == (0, [OF_THE_TESTS])


def test_people_see_a_table(installation: Installation) -> None:
    heading, row = installation.run("plugins").stdout.splitlines()

    assert heading.split() == ["PLUGIN", "DISTRIBUTION", "VERSION", "ADDS"]
    assert row.split(maxsplit=3)[:3] == ["test-parts", "idol-test-parts", "1.2.3"]
    assert row.rstrip().endswith("storage folder, model provider scripted, character directories")


def test_a_broken_plugin_is_listed_with_its_reason_beside_the_others(installation: Installation) -> None:
    (installation.folder / "site" / "broken_plugin.py").write_text("1 / 0\n")
    installation.install("idol-broken", "0.9", broken="broken_plugin")
    done = installation.run("plugins", "--json", IDOLCHAT_PLUGINS="test-parts,broken")
    broken, working = json.loads(done.stdout)

    assert done.returncode == 1
    assert working == OF_THE_TESTS
    assert broken["error"]["code"] == "plugin_broken"
    assert "ZeroDivisionError" in broken["error"]["message"]


def test_the_schemes_of_a_plugin_for_the_server_are_told(installation: Installation) -> None:
    (installation.site / "door_plugin.py").write_text(
        "from idolchat_core import hookimpl\n"
        "@hookimpl(optionalhook=True)\n"
        "def idolchat_register_authenticators(registry):\n"
        "    registry.add('door', None)\n"
    )
    installation.install("idol-door", "1.0", door="door_plugin")
    [about] = json.loads(installation.run("plugins", "--json", IDOLCHAT_PLUGINS="door").stdout)

    assert about["authenticators"] == ["door"]
    assert "authentication scheme door" in installation.run("plugins", IDOLCHAT_PLUGINS="door").stdout


def test_what_is_in_a_name_does_not_steer_the_terminal(installation: Installation) -> None:
    (installation.folder / "site" / "broken_plugin.py").write_text("raise ValueError('\\033[2Jgone [red]')\n")
    installation.install("idol-broken", "0.9", broken="broken_plugin")
    done = installation.run("plugins", IDOLCHAT_PLUGINS="broken")

    assert "\x1b" not in done.stdout
    assert "gone [red]" in done.stdout


def test_none_is_no_error(installation: Installation) -> None:
    done = installation.run("plugins", "--json", IDOLCHAT_PLUGINS=",")

    assert (done.returncode, json.loads(done.stdout)) == (0, [])


@pytest.mark.parametrize("words", [["plugins"], ["plugins", "list"]])
def test_list_is_what_the_group_does_by_itself(installation: Installation, words: list[str]) -> None:
    assert json.loads(installation.run(*words, "--json").stdout) == [OF_THE_TESTS]


def test_info_tells_what_the_distribution_says(installation: Installation) -> None:
    about = json.loads(installation.run("plugins", "info", "test-parts", "--json").stdout)
    shown = installation.run("plugins", "info", "test-parts")

    assert about == {
        **OF_THE_TESTS,
        "entry_point": "idol_test_parts",
        "summary": None,
        "license": None,
        "homepage": None,
        "requires": [],
    }
    assert "adds          storage folder, model provider scripted, character directories\n" in shown.stdout


def test_info_of_a_plugin_that_is_not_there_is_wrong_usage(installation: Installation) -> None:
    done = installation.run("plugins", "info", "absent")

    assert (done.returncode, done.stdout) == (2, "")
    assert "no plugin 'absent' is installed; those are" in done.stderr
