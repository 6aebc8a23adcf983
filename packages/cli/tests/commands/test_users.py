"""Everything held about a user is exported and erased, and nothing of anybody else."""

from __future__ import annotations

import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from parts.kept import ANN, BOB, EMPTY, EVERYTHING, SONG, TALK

from idolchat_cli.commands.users.export import UserExported
from idolchat_cli.erasure import Receipt

if TYPE_CHECKING:
    from conftest import Installation

KEY = {"id": "k1", "user_id": str(ANN), "name": f"of {BOB}"}
OTHER = {"id": "k2", "user_id": str(BOB), "name": f"not of {ANN}"}
SPENT = b"".join(json.dumps({"call": n, "user": str(user)}).encode() + b"\n" for n, user in enumerate((ANN, BOB, ANN)))


@pytest.fixture
def kept(installation: Installation) -> Installation:
    """Keep conversations, records and a log of two users."""
    installation.keep(*EVERYTHING)
    for name, value in (("k1", KEY), ("k2", OTHER)):
        installation.keep_record("api-keys", name, json.dumps(value).encode())
    installation.keep_record("spending.log", "2026-05-31.00000000", SPENT)
    return installation


def test_one_archive_holds_everything(kept: Installation) -> None:
    written = kept.answer(UserExported, "users", "export", str(ANN), "-o", "ann.zip")
    with zipfile.ZipFile(kept.folder / "ann.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}

    assert (written.conversations, written.records, written.log_lines) == (2, 1, 2)
    assert set(files) == {
        "idolchat-export.json",
        f"conversations/{SONG.id}.json",
        f"conversations/{EMPTY.id}.json",
        "records/api-keys/k1",
        "logs/spending/2026-05-31.jsonl",
    }
    assert json.loads(files["records/api-keys/k1"]) == KEY
    assert [json.loads(line)["call"] for line in files["logs/spending/2026-05-31.jsonl"].splitlines()] == [0, 2]


def test_an_archive_goes_through_a_pipe(kept: Installation) -> None:
    kept.shell(f"idol users export {ANN} -o - > ann.tar.gz")
    with tarfile.open(kept.folder / "ann.tar.gz") as archive:
        assert {"records/api-keys/k1", f"conversations/{SONG.id}.json"} < set(archive.getnames())


def test_erasing_leaves_a_receipt_and_everybody_elses(kept: Installation) -> None:
    tried = kept.answer(Receipt, "users", "erase", str(ANN), "--dry-run")
    assert len(kept.stored()) == 3
    erased = kept.answer(Receipt, "users", "erase", str(ANN), "--yes")
    again = kept.answer(Receipt, "users", "erase", str(ANN), "--yes")

    assert (tried.conversations, tried.records, tried.dry_run) == (erased.conversations, erased.records, True)
    assert (erased.conversations, erased.storages, erased.left, erased.dry_run) == (
        [EMPTY.id, SONG.id], ["folder"], [], False,
    )  # fmt: skip
    assert [(one.namespace, one.name) for one in erased.records] == [("api-keys", "k1")]
    assert [(one.namespace, one.lines) for one in erased.kept] == [("spending", 2)]
    assert [one["id"] for one in kept.stored()] == [str(TALK.id)]
    assert kept.records() == {"api-keys/k2", "spending.log/2026-05-31.00000000"}
    assert (again.conversations, again.records) == ([], [])


@pytest.mark.parametrize("command", [["erase", "", "--yes"], ["export", " ", "-o", "user.zip"]])
def test_a_user_whose_id_is_empty_is_wrong_usage(kept: Installation, command: list[str]) -> None:
    done = kept.run("users", *command)

    assert (done.returncode, done.stdout) == (2, "")
    assert "it is empty; write an id" in done.stderr


def test_erasing_wants_to_be_confirmed(kept: Installation) -> None:
    done = kept.run("users", "erase", str(ANN), stdin="y\n")

    assert (done.returncode, len(kept.stored())) == (2, 3)


@pytest.mark.parametrize("target", ["ann.json", "ann"])
def test_an_export_is_an_archive(kept: Installation, target: str) -> None:
    assert kept.run("users", "export", str(ANN), "-o", target).returncode == 2


@pytest.fixture
def noted(kept: Installation) -> Installation:
    """Keep a note of a plugin about each user, too."""
    kept.install("idol-test-notes", "1.0", test_notes="idol_test_notes")
    kept.env["IDOLCHAT_PLUGINS"] = "test-parts,test-notes"
    (kept.folder / "notes").mkdir()
    for user in (ANN, BOB):
        (kept.folder / "notes" / str(user)).write_text(f"about {user}")
    return kept


def test_what_plugins_hold_is_exported(noted: Installation) -> None:
    written = noted.answer(UserExported, "users", "export", str(ANN), "-o", "ann.zip")
    with zipfile.ZipFile(noted.folder / "ann.zip") as archive:
        note = archive.read("plugins/notes/note.txt")

    assert (written.plugin_files, note) == (1, f"about {ANN}".encode())


def test_what_plugins_hold_is_erased_and_told(noted: Installation) -> None:
    erased = noted.answer(Receipt, "users", "erase", str(ANN), "--yes")
    again = noted.answer(Receipt, "users", "erase", str(ANN), "--yes")

    assert [path.name for path in (noted.folder / "notes").iterdir()] == [str(BOB)]
    assert [[(one.plugin, one.count) for one in receipt.plugins] for receipt in (erased, again)] == [
        [("notes", 1)], [("notes", 0)],
    ]  # fmt: skip


def test_a_plugin_that_cannot_erase_is_named_and_the_rest_is_erased(noted: Installation) -> None:
    note = noted.folder / "notes" / str(ANN)
    note.unlink()
    note.mkdir()
    done = noted.run("users", "erase", str(ANN), "--yes", "--json")
    receipt = Receipt.model_validate_json(done.stdout)

    assert (done.returncode, [one.storage for one in receipt.left]) == (1, ["notes"])
    assert [one["id"] for one in noted.stored()] == [str(TALK.id)]
