"""A storage and its mirror are compared, mended and restored by commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from idolchat_core import Conversation
from idolchat_core.storage import document
from idolchat_core.testing import a_conversation, a_message

if TYPE_CHECKING:
    from conftest import Installation


@pytest.fixture
def mirrored(installation: Installation) -> Installation:
    installation.env["IDOLCHAT_STORAGE"] = "folder,copies"
    return installation


@pytest.fixture
def conversation() -> Conversation:
    return a_conversation("one", "two")


def primary(installation: Installation) -> Path:
    return installation.folder / "stored"


def mirror(installation: Installation) -> Path:
    return installation.folder / "copies" / "conversations"


def keep(folder: Path, *conversations: Conversation) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for conversation in conversations:
        (folder / f"{conversation.id}.json").write_bytes(document.encode(conversation))


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.json")}


def answer(installation: Installation, *arguments: str, status: int = 0) -> dict[str, Any]:
    done = installation.run("storage", *arguments, "--json")
    assert (done.returncode, done.stderr) == (status, "")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_what_differs_is_told_and_mended(mirrored: Installation, conversation: Conversation) -> None:
    more = conversation.model_copy(update={"messages": (*conversation.messages, a_message("three", after_s=9))})
    lost, new = a_conversation("lost"), a_conversation("new")
    keep(primary(mirrored), conversation, new)
    keep(mirror(mirrored), more, lost)
    verified = answer(mirrored, "verify", status=1)
    would = answer(mirrored, "sync", "--dry-run", status=1)
    told = mirrored.run("storage", "sync")
    again = answer(mirrored, "sync")

    kinds = {"ahead", "missing_in_primary", "missing_in_mirror"}
    assert {one["kind"] for one in verified["differing"]} == kinds
    assert {one["difference"]["kind"] for one in would["differences"]} == kinds
    assert told.returncode == 0
    assert "3 compared, 3 differed, 3 mended" in told.stdout
    assert (again["compared"], again["differing"]) == (3, 0)
    assert held(primary(mirrored)) == held(mirror(mirrored))
    assert answer(mirrored, "verify")["differing"] == []


def test_what_another_server_mirrors_there_can_be_left(mirrored: Installation, conversation: Conversation) -> None:
    keep(mirror(mirrored), conversation)

    assert answer(mirrored, "sync", "--mine")["differing"] == 0
    assert held(primary(mirrored)) == {}


def test_what_was_lost_is_restored(mirrored: Installation, conversation: Conversation) -> None:
    keep(mirror(mirrored), conversation, a_conversation("another"))
    would = mirrored.run("storage", "restore", "--dry-run")
    assert held(primary(mirrored)) == {}
    did = answer(mirrored, "restore")
    again = mirrored.run("storage", "restore")

    assert "2 conversations and records are only in a mirror" in would.stdout
    assert (did["missing"], did["restored"], did["failures"]) == (2, 2, [])
    assert held(primary(mirrored)) == held(mirror(mirrored))
    assert "nothing is missing" in again.stdout


def test_one_that_cannot_be_restored_is_named(mirrored: Installation, conversation: Conversation) -> None:
    keep(mirror(mirrored), conversation)
    (mirror(mirrored) / f"{conversation.id}.json").write_text("{")

    [failure] = answer(mirrored, "restore", status=1)["failures"]
    assert (failure["conversation_id"], failure["code"]) == (str(conversation.id), "conversation_damaged")
    assert str(conversation.id) in mirrored.run("storage", "restore").stdout


@pytest.mark.parametrize("command", ["restore", "sync", "verify"])
def test_a_mirror_that_is_down_is_an_error_and_no_empty_one(
    mirrored: Installation, conversation: Conversation, command: str
) -> None:
    keep(primary(mirrored), conversation)
    keep(mirror(mirrored), conversation)
    (mirrored.folder / "copies" / "down").touch()
    done = mirrored.run("storage", command)

    assert done.returncode == 1
    assert "does not answer" in done.stderr


@pytest.mark.parametrize("command", ["restore", "sync"])
def test_without_a_mirror_it_is_told_how_to_name_one(installation: Installation, command: str) -> None:
    done = installation.run("storage", command)

    assert done.returncode == 1
    assert "IDOLCHAT_STORAGE names folder alone" in done.stderr
