"""A storage is verified, mended and moved by commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from idolchat_core import Conversation
from idolchat_core.storage import document
from idolchat_core.testing import a_conversation, a_message

if TYPE_CHECKING:
    from conftest import Installation


def keep(installation: Installation, *conversations: Conversation) -> None:
    (installation.folder / "stored").mkdir(exist_ok=True)
    for conversation in conversations:
        (installation.folder / "stored" / f"{conversation.id}.json").write_bytes(document.encode(conversation))


def answer(installation: Installation, *arguments: str, status: int = 0) -> dict[str, Any]:
    done = installation.run("storage", *arguments, "--json")
    assert (done.returncode, done.stderr) == (status, "")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture
def flawed() -> Conversation:
    twice = a_message("two")
    return a_conversation().model_copy(update={"messages": (a_message("one"), twice, twice)})


def test_nothing_is_wrong_with_a_sound_storage(installation: Installation) -> None:
    keep(installation, a_conversation("one", "two"), a_conversation("three"))

    verified = {"conversations": 2, "messages": 3, "flawed": [], "damaged_records": [], "differing": []}
    assert answer(installation, "verify") == verified
    assert "nothing is wrong" in installation.run("storage", "verify").stdout
    assert answer(installation, "repair")["repaired"] == []


def test_what_is_wrong_is_told_and_mended(installation: Installation, flawed: Conversation) -> None:
    keep(installation, flawed, a_conversation("fine"))
    found = answer(installation, "verify", status=1)
    told = installation.run("storage", "verify")
    would = answer(installation, "repair", "--dry-run", status=1)
    did = answer(installation, "repair", str(flawed.id))

    [verdict] = found["flawed"]
    [issue] = verdict["issues"]
    assert (verdict["conversation_id"], issue["code"], issue["position"]) == (str(flawed.id), "duplicate_id", 2)
    assert str(flawed.id) in told.stdout
    assert "idol storage repair" in told.stdout
    assert [one["kept_as"] for one in would["repaired"]] == [None]
    assert did["repaired"][0]["kept_as"].startswith(f"record set-aside/{flawed.id}.")
    assert answer(installation, "verify")["flawed"] == []


def test_a_conversation_that_is_not_there_is_a_problem(installation: Installation) -> None:
    done = installation.run("storage", "verify", str(a_conversation().id))

    assert done.returncode == 1
    assert done.stderr == "Error: 1 of these conversations are not there\n"


def test_stats_name_the_storage(installation: Installation) -> None:
    keep(installation, a_conversation("one", user_id="ann"), a_conversation("two", "three", user_id="ann"))
    counted = answer(installation, "stats")

    assert (counted["storage"], counted["conversations"], counted["messages"], counted["users"]) == ("folder", 2, 3, 1)
    assert "conversations  2\n" in installation.run("storage", "stats").stdout


def test_what_nobody_needs_is_removed_when_confirmed(installation: Installation) -> None:
    assert answer(installation, "gc", "--yes") == {"dry_run": False, "removed": [], "size_bytes": 0}
    assert installation.run("storage", "gc", "--older-than", "soon").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "folder"], "folder and folder are the same storage; name a place: folder:PLACE"),
        (["--to", "folder:elsewhere"], "the storage folder cannot be given a place"),
        ([], "Missing option '--to'"),
    ],
)
def test_a_migration_to_nowhere_is_wrong_usage(installation: Installation, arguments: list[str], message: str) -> None:
    done = installation.run("storage", "migrate", *arguments)

    assert done.returncode == 2
    assert message in done.stderr


def test_an_unknown_storage_is_told_what_is_installed(installation: Installation) -> None:
    done = installation.run("storage", "migrate", "--to", "cloud:bucket")

    assert (done.returncode, done.stderr) == (1, "Error: no storage named 'cloud'; installed: folder\n")


def test_a_storage_that_needs_no_upgrade_says_so(installation: Installation) -> None:
    assert answer(installation, "upgrade") == {"dry_run": False, "storages": [{"storage": "folder", "steps": []}]}
    assert installation.run("storage", "upgrade").stdout == "folder is as this version needs it\n"
