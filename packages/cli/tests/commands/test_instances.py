"""Which servers share the storage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation


@pytest.fixture
def shared(installation: Installation) -> Installation:
    installation.install("idol-test-shared", "1.0", shared="idol_test_shared")
    installation.env |= {"IDOLCHAT_PLUGINS": "test-parts,shared", "IDOLCHAT_STORAGE": "shared"}
    return installation


def test_json_tells_of_every_server(shared: Installation) -> None:
    done = shared.run("instances", "list", "--json")
    first, *_ = instances = json.loads(done.stdout)

    assert [instance["state"] for instance in instances] == ["alive", "draining", "silent"]
    assert first == {
        "id": "00000000-0000-0000-0000-000000000001",
        "address": "one.example.org (7)",
        "version": "0.1.0",
        "state": "alive",
        "started_at": "2026-01-02T03:04:05Z",
        "silent_s": 0.432,
        "running": 2,
        "waiting": 1,
    }


def test_people_see_a_table(shared: Installation) -> None:
    heading, first, *_ = shared.run("instances", "list").stdout.splitlines()

    assert heading.split() == ["INSTANCE", "ADDRESS", "VERSION", "STATE", "SINCE", "SILENT", "RUNNING", "WAITING"]
    assert first.split()[-4:] == ["0.4", "s", "2", "1"]


def test_a_storage_of_one_server_has_no_list(installation: Installation) -> None:
    done = installation.run("instances", "list")

    assert done.returncode == 1
    assert "one server alone serves the storage 'folder'" in done.stderr


@pytest.mark.parametrize(
    ("bus", "status", "message"),
    [
        ("wire", "ok", "wire carries messages (idol-test-shared 1.0)"),
        ("broken", "warn", "the broker at broker.example.org cannot be reached"),
        ("refused", "fail", "the password is wrong; write another into IDOL_TEST_URL"),
        ("nats", "fail", "IDOLCHAT_BUS names 'nats'; installed: broken, refused, wire"),
    ],
)
def test_the_doctor_looks_at_the_bus_that_is_named(shared: Installation, bus: str, status: str, message: str) -> None:
    done = shared.run("doctor", "--json", IDOLCHAT_BUS=bus)

    [finding] = [each for each in json.loads(done.stdout)["checks"] if each["check"] == "bus"]
    assert (finding["status"], finding["message"]) == (status, message)


def test_the_doctor_says_where_nobody_copies_to_a_mirror(shared: Installation) -> None:
    shared.env["IDOLCHAT_STORAGE"] = "shared,folder"
    checks = json.loads(shared.run("doctor", "--json").stdout)["checks"]

    [finding] = [each for each in checks if each["check"] == "mirror"]
    assert (finding["status"], finding["message"]) == ("warn", "no server copies to folder now")


def test_a_bus_is_listed_among_what_a_plugin_adds(shared: Installation) -> None:
    plugins = json.loads(shared.run("plugins", "--json").stdout)

    assert [plugin["buses"] for plugin in plugins] == [["broken", "refused", "wire"], []]
